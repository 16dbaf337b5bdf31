// The C interface between Python and the SYCL runtime. Host code only: plain g++ builds it, once.
//
// Every function that can fail returns null or 0 and leaves its message for tinyllm_error().
// Kernels live as long as the process: the runtime's own static objects must not be destroyed
// before them.
#include <dlfcn.h>

#include <sycl/sycl.hpp>

#include <cstring>
#include <sstream>

namespace xp = sycl::ext::oneapi::experimental;
using Bundle = sycl::kernel_bundle<sycl::bundle_state::executable>;

static thread_local std::string message;

#define API extern "C" __attribute__((visibility("default")))

template <class Work> static auto guarded(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (std::exception const &failure) {
    message = message.empty() ? failure.what()
                              : message;  // the compiler's log says more than the exception
    return {};
  }
}

static std::vector<std::string> lines(const char *text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

API const char *tinyllm_error() { return message.c_str(); }

API sycl::queue *tinyllm_cpu_queue() {
  message.clear();
  return guarded(
      [] { return new sycl::queue(sycl::cpu_selector_v, sycl::property::queue::in_order()); });
}

// "name\ndriver\nsize size size ...": the device, its driver's release, and the sub-group sizes that
// it can run.
API const char *tinyllm_device(sycl::queue *queue) {
  message.clear();
  return guarded([&] {
    static thread_local std::string text;
    const sycl::device device = queue->get_device();
    text = device.get_info<sycl::info::device::name>() + "\n" +
           device.get_info<sycl::info::device::driver_version>() + "\n";
    for (size_t size : device.get_info<sycl::info::device::sub_group_sizes>())
      text += std::to_string(size) + " ";
    return text.c_str();
  });
}

// `headers` has the name of each file and its text, each ended by a zero; then an empty name.
static auto parsed(sycl::queue *queue, const char *source, const char *headers) {
  xp::include_files files;
  for (const char *name = headers; *name;) {
    const char *text = name + std::strlen(name) + 1;
    files.add(name, text);
    name = text + std::strlen(text) + 1;
  }
  return xp::create_kernel_bundle_from_source(queue->get_context(), xp::source_language::sycl,
                                              std::string(source), xp::properties{files});
}

// Compiles SYCL C++. `options` has one option a line; `headers` are the files for its #include.
API Bundle *tinyllm_compile(sycl::queue *queue, const char *source, const char *headers,
                            const char *options) {
  message.clear();
  return guarded([&] {
    auto text = parsed(queue, source, headers);
    return new Bundle(
        xp::build(text, std::vector<sycl::device>{queue->get_device()},
                  xp::properties{xp::build_options{lines(options)}, xp::save_log{&message}}));
  });
}

// SYCL shows what an image holds once it is built for the device, which a CPU refuses if it lacks
// an instruction.
struct Image : sycl::detail::device_image_plain {
  static auto content(const sycl::detail::device_image_plain &image) {
    return (image.*&Image::ext_oneapi_get_backend_content_view_impl)();
  }
};

// The SPIR-V of SYCL C++ for any device, until the next call.
API const char *tinyllm_translate(sycl::queue *queue, const char *source, const char *headers,
                                  const char *options, size_t *size) {
  message.clear();
  return guarded([&] {
    static thread_local std::string spirv;
    auto text = parsed(queue, source, headers);
    auto object =
        xp::compile(text, std::vector<sycl::device>{queue->get_device()},
                    xp::properties{xp::build_options{lines(options)}, xp::save_log{&message}});
    auto [begin, end] = Image::content(*object.begin());
    spirv.assign(reinterpret_cast<const char *>(begin), reinterpret_cast<const char *>(end));
    *size = spirv.size();
    return spirv.data();
  });
}

// The same from SPIR-V: nothing of C++ is parsed.
API Bundle *tinyllm_load(sycl::queue *queue, const char *spirv, size_t size) {
  message.clear();
  return guarded([&] {
    auto *bytes = reinterpret_cast<const std::byte *>(spirv);
    auto code =
        xp::create_kernel_bundle_from_source(queue->get_context(), xp::source_language::spirv,
                                             std::vector<std::byte>(bytes, bytes + size));
    return new Bundle(xp::build(code, std::vector<sycl::device>{queue->get_device()}));
  });
}

// The SPIR-V of a compiled bundle; returns its size, and writes it where `out` is not null.
API size_t tinyllm_spirv(Bundle *bundle, char *out) {
  message.clear();
  return guarded([&] {
    auto content = bundle->begin()->ext_oneapi_get_backend_content();
    if (out) std::memcpy(out, content.data(), content.size());
    return content.size();
  });
}

static sycl::kernel *checked(const sycl::kernel &kernel, const char *name, int expected_arguments) {
  const int takes = kernel.get_info<sycl::info::kernel::num_args>();
  if (takes != expected_arguments)
    throw std::runtime_error(std::string(name) + " takes " + std::to_string(takes) +
                             " arguments, declared with " + std::to_string(expected_arguments));
  return new sycl::kernel(kernel);
}

API sycl::kernel *tinyllm_kernel(Bundle *bundle, const char *name, int expected_arguments) {
  message.clear();
  return guarded(
      [&] { return checked(bundle->ext_oneapi_get_kernel(name), name, expected_arguments); });
}

// A function of OpenCL, whose library SYCL has loaded where it runs on the CPU.
template <class Function> static Function opencl(Function, const char *name) {
  static void *library = dlopen("libOpenCL.so.1", RTLD_LAZY | RTLD_NOLOAD);
  auto *found = library ? dlsym(library, name) : nullptr;
  if (!found) throw std::runtime_error(std::string(name) + " is not loaded");
  return reinterpret_cast<Function>(found);
}
#define OPENCL(name) opencl(&name, #name)

// The code that the CPU's driver made of a bundle; returns its size, and writes it where `out` is
// not null.
API size_t tinyllm_cpu_code(Bundle *bundle, unsigned char *out) {
  message.clear();
  return guarded([&] {
    cl_program program = sycl::get_native<sycl::backend::opencl>(*bundle).front();
    auto *get_info = OPENCL(clGetProgramInfo);
    size_t size = 0;
    int failed = get_info(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr);
    if (out && !failed)
      failed = get_info(program, CL_PROGRAM_BINARIES, sizeof out, &out, nullptr);
    if (failed) throw std::runtime_error("the driver does not give its code");
    return size;
  });
}

// A kernel of such code: the driver compiles nothing.
API sycl::kernel *tinyllm_load_cpu_code(sycl::queue *queue, const unsigned char *code, size_t size,
                                        const char *name, int expected_arguments) {
  message.clear();
  return guarded([&] {
    const sycl::context context = queue->get_context();
    cl_context native_context = sycl::get_native<sycl::backend::opencl>(context);
    cl_device_id device = sycl::get_native<sycl::backend::opencl>(queue->get_device());
    int refused = 0, failed = 0;
    cl_program program = OPENCL(clCreateProgramWithBinary)(native_context, 1, &device, &size, &code,
                                                           &refused, &failed);
    if (!failed && !refused)
      failed = OPENCL(clBuildProgram)(program, 1, &device, "", nullptr, nullptr);
    cl_kernel kernel = failed || refused ? nullptr
                                         : OPENCL(clCreateKernel)(program, name, &failed);
    if (!kernel) throw std::runtime_error("the driver does not take this code");
    return checked(sycl::make_kernel<sycl::backend::opencl>(kernel, context), name,
                   expected_arguments);
  });
}

template <class T> static void set(sycl::handler &handler, int index, const uint64_t *slot) {
  T value;
  std::memcpy(&value, slot, sizeof value);
  handler.set_arg(index, value);
}

template <int N>
static void run(sycl::handler &handler, sycl::kernel *kernel, const uint64_t *size) {
  sycl::range<N> groups, local;
  for (int i = 0; i < N; ++i) groups[i] = size[i] * size[N + i], local[i] = size[N + i];
  handler.parallel_for(sycl::nd_range<N>(groups, local), *kernel);
}

// `kinds` has a letter per argument: P pointer, i int32, q int64, f float; `slots` 8 bytes each.
// `size` holds the number of work-groups, then of work-items in each, for `dimensions` dimensions.
// Enqueues, and does not wait.
API int tinyllm_launch(sycl::queue *queue, sycl::kernel *kernel, const char *kinds,
                       const uint64_t *slots, int dimensions, const uint64_t *size) {
  message.clear();
  return guarded([&] {
    xp::submit(*queue, [&](sycl::handler &handler) {
      for (int i = 0; kinds[i]; ++i) {
        if (kinds[i] == 'P') set<void *>(handler, i, slots + i);
        if (kinds[i] == 'i') set<int32_t>(handler, i, slots + i);
        if (kinds[i] == 'q') set<int64_t>(handler, i, slots + i);
        if (kinds[i] == 'f') set<float>(handler, i, slots + i);
      }
      if (dimensions == 1) run<1>(handler, kernel, size);
      if (dimensions == 2) run<2>(handler, kernel, size);
      if (dimensions == 3) run<3>(handler, kernel, size);
    });
    return 1;
  });
}

API int tinyllm_wait(sycl::queue *queue) {
  message.clear();
  return guarded([&] { return queue->wait_and_throw(), 1; });
}
