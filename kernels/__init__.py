"""Our device code: Triton for every GPU, SYCL for Intel's. Nothing here knows of the rest of tinyllm."""
