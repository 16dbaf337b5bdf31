// gemv, float32, pvc: Debian's intel-opencl-icd 22.43.24595.41-1, SPIR-V by intel-sycl-rt 2026.0.0
L0:
(W)     mov (16|M0)              r127.0<1>:ud  0x0:ud
(W)     and (1|M0)               r127.2<1>:ud  r0.0<0;1,0>:ud    0xFFFFFFC0:ud
(W)     and (1|M0)               r127.0<1>:uw  r0.4<0;1,0>:uw    0xFF:uw
(W)     add (1|M0)               r127.2<1>:ud  r127.2<0;1,0>:ud  0xC0:uw              {I@2}
(W)     mad (1|M0)               r127.0<1>:ud  r127.2<0;0>:ud    r127.0<0;0>:uw    0xC0:uw              {I@1}
        send.ugm (1|M0)          r1       r127    null:0  0xFF000000            0x6228E500           {A@1,$0} // wr:1+0, rd:2; load.ugm.d32x32t.a32.ca.ca.bti[255]
(W)     add (1|M0)               r127.0<1>:ud  r127.0<0;1,0>:ud  0x80:uw              {$0.src}
        send.ugm (1|M0)          r3       r127    null:0  0xFF000000            0x6218D500           {A@1,$1} // wr:1+0, rd:1; load.ugm.d32x16t.a32.ca.ca.bti[255]
(W)     and (1|M0)               r127.0<1>:ud  r0.0<0;1,0>:ud    0xFFFFFFC0:ud              {$1.src}
        send.ugm (1|M0)          r4       r127    null:0  0xFF000000            0x6228E500           {I@1,$2} // wr:1+0, rd:2; load.ugm.d32x32t.a32.ca.ca.bti[255]
(W)     add (1|M0)               r127.0<1>:ud  r127.0<0;1,0>:ud  0x80:uw              {Compacted,$2.src}
        send.ugm (1|M0)          r6       r127    null:0  0xFF000000            0x6218D500           {I@1,$3} // wr:1+0, rd:1; load.ugm.d32x16t.a32.ca.ca.bti[255]
(W)     or (1|M0)                cr0.0<1>:ud   cr0.0<0;1,0>:ud   0x4C0:uw              {Compacted,A@1}
(W)     cmp (16|M0)   (lt)f2.1   null<1>:d     r6.6<0;1,0>:d     0:w               {A@1,$3.dst}
(W)     mov (1|M0)               r31.0<1>:ud   0x6E10CA2E:ud
(W)     mov (1|M0)               r31.1<1>:ud   0x6E10CA2E:ud
(W)     mov (2|M0)               r31.2<1>:d    r5.8<1;1,0>:d                    {$2.dst}
(W)     mov (2|M0)               r31.4<1>:d    r5.10<1;1,0>:d
(W)     mov (1|M0)               r31.6<1>:d    r0.1<0;1,0>:d
(W)     mov (1|M0)               r31.4<1>:uq   r4.4<0;1,0>:uq
(W)     mov (1|M0)               r31.5<1>:uq   r4.5<0;1,0>:uq
(W)     mov (1|M0)               r31.6<1>:uq   r4.6<0;1,0>:uq
(W)     mov (1|M0)               r31.7<1>:uq   r4.7<0;1,0>:uq
(W&f2.1) jmpi                                L400
L368:
(W)     mov (1|M0)               r31.7<1>:d    r6.6<0;1,0>:d
(W)     jmpi                                 L416
L400:
(W)     add (1|M0)               r31.7<1>:d    r6.6<0;1,0>:d     1:w
L416:
(W)     cmp (16|M0)   (eq)f2.1   null<1>:d     r6.8<0;1,0>:d     0:w
(W)     asr (1|M0)               r32.0<1>:d    r31.7<0;1,0>:d    1:w               {I@2}
(W)     cmp (1|M0)    (eq)f0.1   r32.2<1>:d    r6.8<0;1,0>:d     0:w
(W&f2.1) sel (1|M0)              r32.1<1>:d    r6.6<0;1,0>:d     r32.0<0;1,0>:d   {I@2}
(W&~f2.1) sel (1|M0)             r7.1<1>:d     r32.0<0;1,0>:d    0:w
(W)     add (1|M0)               r32.4<1>:d    r32.1<0;1,0>:d    -1:w               {I@2}
(W)     shl (1|M0)               r32.3<1>:d    r31.6<0;1,0>:d    -r32.2<0;1,0>:d
(W)     cmp (16|M0)   (lt)f0.0   null<1>:d     r6.5<0;1,0>:d     0:w
(W)     sel (1|M0)    (lt)f0.0   r32.5<1>:d    r32.4<0;1,0>:d    r32.3<0;1,0>:d   {I@2}
(W)     add3 (1|M0)              r6.9<1>:d     r32.3<0;0>:d      -r32.2<0;0>:d     0:w
(W)     mul (1|M0)               acc0.0<1>:ud  r32.5<0;1,0>:ud   r31.8<0;1,0>:uw  {I@2}
(W)     macl (1|M0)              r2.0<1>:ud    r32.5<0;1,0>:ud   r31.4<0;1,0>:ud  {$0.dst}
(W)     mul (1|M0)               acc0.0<1>:ud  r32.5<0;1,0>:ud   r31.8<0;1,0>:uw
(W)     asr (1|M0)               r1.8<1>:d     r32.5<0;1,0>:d    31:w
(W)     sel (1|M0)    (lt)f0.0   r7.0<1>:d     r32.4<0;1,0>:d    r6.9<0;1,0>:d    {I@5}
(W)     mach (1|M0)              r3.0<1>:d     r32.5<0;1,0>:ud   r31.4<0;1,0>:ud  {$1.dst}
(W)     mul (1|M0)               acc0.0<1>:d   r32.5<0;1,0>:ud   r31.10<0;1,0>:uw
(W)     macl (1|M0)              r4.0<1>:d     r32.5<0;1,0>:ud   r31.5<0;1,0>:d
(W)     add (1|M0)               r8.0<1>:d     r7.0<0;1,0>:d     r7.1<0;1,0>:d    {Compacted,I@4}
(W)     mul (1|M0)               acc0.0<1>:d   r31.4<0;1,0>:ud   r1.16<0;1,0>:uw
(W)     add (1|M0)               r3.0<1>:d     r3.0<0;1,0>:d     r4.0<0;1,0>:d    {Compacted,I@3}
(W)     macl (1|M0)              r4.0<1>:d     r31.4<0;1,0>:ud   r1.8<0;1,0>:d
(W)     mul (1|M0)               acc0.0<1>:ud  r8.0<0;1,0>:ud    r31.8<0;1,0>:uw  {I@4}
(W)     add (1|M0)               r2.1<1>:d     r3.0<0;1,0>:d     r4.0<0;1,0>:d    {Compacted,I@2}
(W)     macl (1|M0)              r9.0<1>:ud    r8.0<0;1,0>:ud    r31.4<0;1,0>:ud
(W)     sel (1|M0)    (lt)f0.0   r3.0<1>:d     r6.4<0;1,0>:d     1:w               {Compacted}
(W)     mul (1|M0)               acc0.0<1>:ud  r8.0<0;1,0>:ud    r31.8<0;1,0>:uw
(W)     asr (1|M0)               r8.1<1>:d     r8.0<0;1,0>:d     31:w               {Compacted}
(W)     mach (1|M0)              r10.0<1>:d    r8.0<0;1,0>:ud    r31.4<0;1,0>:ud
(W)     mul (1|M0)               acc0.0<1>:d   r8.0<0;1,0>:ud    r31.10<0;1,0>:uw
(W)     shl (1|M0)               r5.6<1>:q     r2.0<0;1,0>:q     2:w               {I@7}
(W)     add (1|M0)               r4.0<1>:d     r3.0<0;1,0>:d     -1:w               {Compacted,I@6}
(W)     macl (1|M0)              r2.0<1>:d     r8.0<0;1,0>:ud    r31.5<0;1,0>:d
(W)     mul (1|M0)               acc0.0<1>:d   r31.4<0;1,0>:ud   r8.2<0;1,0>:uw   {I@6}
(W)     add (1|M0)               r10.0<1>:d    r10.0<0;1,0>:d    r2.0<0;1,0>:d    {Compacted,I@2}
(W)     macl (1|M0)              r2.0<1>:d     r31.4<0;1,0>:ud   r8.1<0;1,0>:d
(W)     mul (1|M0)               acc0.0<1>:ud  r4.0<0;1,0>:ud    r31.4<0;1,0>:uw
(W)     macl (1|M0)              r7.0<1>:ud    r4.0<0;1,0>:ud    r31.2<0;1,0>:ud
(W)     mul (1|M0)               acc0.0<1>:ud  r4.0<0;1,0>:ud    r31.4<0;1,0>:uw
(W)     asr (1|M0)               r4.1<1>:d     r4.0<0;1,0>:d     31:w               {Compacted}
(W)     mach (1|M0)              r11.0<1>:d    r4.0<0;1,0>:ud    r31.2<0;1,0>:ud
(W)     mul (1|M0)               acc0.0<1>:d   r4.0<0;1,0>:ud    r31.6<0;1,0>:uw
(W)     macl (1|M0)              r8.0<1>:d     r4.0<0;1,0>:ud    r31.3<0;1,0>:d
(W)     mul (1|M0)               acc0.0<1>:d   r31.2<0;1,0>:ud   r4.2<0;1,0>:uw   {I@4}
(W)     add (1|M0)               r9.1<1>:d     r10.0<0;1,0>:d    r2.0<0;1,0>:d    {Compacted}
(W)     add (1|M0)               r11.0<1>:d    r11.0<0;1,0>:d    r8.0<0;1,0>:d    {Compacted,I@3}
(W)     macl (1|M0)              r8.0<1>:d     r31.2<0;1,0>:ud   r4.1<0;1,0>:d
(W)     shl (1|M0)               r1.4<1>:q     r9.0<0;1,0>:q     2:w               {Compacted,I@3}
(W)     add (1|M0)               r7.1<1>:d     r11.0<0;1,0>:d    r8.0<0;1,0>:d    {Compacted,I@2}
(W)     mov (1|M0)               r3.0<1>:d     3:w                               {Compacted}
(W)     or (1|M0)                r2.0<1>:d     r31.10<0;1,0>:d   r31.8<0;1,0>:d   {Compacted}
(W)     add (1|M0)               r32.4<1>:q    r1.4<0;1,0>:q     r4.5<0;1,0>:q    {I@4}
(W)     shl (1|M0)               r1.4<1>:q     r7.0<0;1,0>:q     2:w               {Compacted,I@4}
(W)     mov (1|M0)               r32.14<1>:d   15:w
(W)     add (1|M0)               r32.3<1>:q    r5.6<0;1,0>:q     r4.5<0;1,0>:q
(W)     bfn.0xE0 (1|M0)          r32.13<1>:ud  r31.4<0;0>:ud     r31.2<0;0>:ud     r3.0<0>:ud       {I@6} // (s0|s1)&s2
(W)     bfn.0xFE (1|M0)          r32.12<1>:ud  r2.0<0;0>:ud      r31.12<0;0>:ud    r31.14<0>:ud     {I@6} // s0|s1|s2
(W)     add (1|M0)               r32.5<1>:q    r1.4<0;1,0>:q     r4.4<0;1,0>:q    {I@5}
(W&f0.0) jmpi                                L1272
L1240:
(W)     mov (1|M0)               r32.15<1>:d   r6.5<0;1,0>:d
(W)     jmpi                                 L1288
L1272:
(W)     add (1|M0)               r32.15<1>:d   r6.5<0;1,0>:d     3:w
L1288:
(W)     bfn.0xF8 (1|M0)          r1.9<1>:ud    r32.12<0;0>:ud    r32.14<0;0>:ud    r32.13<0>:ud     {I@6} // s0&s1|s2
(W)     asr (1|M0)               r1.8<1>:d     r32.15<0;1,0>:d   2:w               {I@2}
(W)     cmp (1|M0)    (eq)f2.0   null<1>:d     r1.9<0;1,0>:d     0:w               {I@2}
        mov (16|M0)              r34.0<1>:d    r1.0<1;1,0>:uw
(W)     mov (1|M0)               r33.1<1>:q    r6.12<0;1,0>:ud
(W&f2.0) sel (1|M0)              r33.0<1>:d    r1.8<0;1,0>:d     0:w               {I@4}
        cmp (16|M0)   (gt)f1.1   null<1>:d     r33.0<0;1,0>:d    r34.0<1;1,0>:d   {I@1}
(f1.1)  goto (16|M0)                         L1448                  L1448
L1416:
        mov (16|M0)              r35.0<1>:ud   0x0:ud                              {Compacted}
        mov (16|M0)              r36.0<1>:f    0.0:f                               {Compacted}
        goto (16|M0)                         L1448                  L1728
L1448:
        join (16|M0)                         L1728
L1464:
        mov (16|M0)              r2.0<4>:uw    r1.0<1;1,0>:uw
        mov (16|M0)              r35.0<1>:ud   0x0:ud                              {Compacted}
        mov (16|M0)              r36.0<1>:f    0.0:f                               {Compacted}
        mov (16|M0)              r38.0<1>:q    r2.0<4;1,0>:uw                   {I@2}
L1512:
        shl (16|M0)              r2.0<1>:q     r38.0<1;1,0>:q    4:w               {Compacted,I@1}
        add (16|M0)              r8.0<1>:q     r32.3<0;1,0>:q    r2.0<1;1,0>:q    {Compacted,I@1}
        add (16|M0)              r10.0<1>:q    r32.4<0;1,0>:q    r2.0<1;1,0>:q    {Compacted}
        add (16|M0)              r12.0<1>:q    r32.5<0;1,0>:q    r2.0<1;1,0>:q    {Compacted}
        send.ugm (16|M0)         r14      r8      null:0  0x0            0x04403580           {I@3,$4} // wr:2+0, rd:4; load.ugm.d32x4.a64
        send.ugm (16|M0)         r18      r10     null:0  0x0            0x04403580           {I@2,$5} // wr:2+0, rd:4; load.ugm.d32x4.a64
        send.ugm (16|M0)         r22      r12     null:0  0x0            0x04403580           {I@1,$6} // wr:2+0, rd:4; load.ugm.d32x4.a64
        add (16|M0)              r38.0<1>:q    r38.0<1;1,0>:q    r33.1<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f0.1   null<1>:d     r38.0<2;1,0>:ud   r33.0<0;1,0>:ud  {I@1}
(f0.1)  cmp (16|M0)   (eq)f0.1   null<1>:d     r38.1<2;1,0>:d    0:w
        sync.nop                             null                             {Compacted,F@1}
        sync.nop                             null                             {Compacted,$6.dst}
        mad (16|M0)              acc0.0<1>:f   r36.0<1;0>:f      r14.0<1;0>:f      r22.0<1>:f       {Compacted,$4.dst}
        mad (16|M0)              acc1.0<1>:f   r35.0<1;0>:f      r18.0<1;0>:f      r22.0<1>:f       {Compacted,$5.dst}
        mad (16|M0)              acc0.0<1>:f   acc0.0<1;0>:f     r15.0<1;0>:f      r23.0<1>:f       {Compacted}
        mad (16|M0)              acc1.0<1>:f   acc1.0<1;0>:f     r19.0<1;0>:f      r23.0<1>:f       {Compacted}
        mad (16|M0)              acc0.0<1>:f   acc0.0<1;0>:f     r16.0<1;0>:f      r24.0<1>:f       {Compacted}
        mad (16|M0)              acc1.0<1>:f   acc1.0<1;0>:f     r20.0<1;0>:f      r24.0<1>:f       {Compacted}
        mad (16|M0)              r36.0<1>:f    acc0.0<1;0>:f     r17.0<1;0>:f      r25.0<1>:f       {Compacted}
        mad (16|M0)              r35.0<1>:f    acc1.0<1;0>:f     r21.0<1;0>:f      r25.0<1>:f       {Compacted}
(f0.1)  goto.b (16|M0)                       L1728                  L1512
L1728:
        join (16|M0)                         L1744
L1744:
(W)     shl (1|M0)               r1.8<1>:d     r33.0<0;1,0>:d    2:w               {Compacted}
        add (16|M0)              r37.0<1>:d    r1.8<0;1,0>:d     r34.0<1;1,0>:d   {Compacted,I@1}
        cmp (16|M0)   (lt)f1.0   null<1>:d     r37.0<1;1,0>:d    r6.5<0;1,0>:d    {I@1}
(~f1.0) goto (16|M0)                         L2024                  L2024
L1792:
        mov (16|M0)              r2.0<2>:ud    r37.0<1;1,0>:ud                  {Compacted}
        mov (16|M0)              r40.0<1>:q    r2.0<2;1,0>:d                    {I@1}
(W)     asr (1|M0)               r33.1<1>:d    r6.5<0;1,0>:d     31:w
L1832:
        shl (16|M0)              r2.0<1>:q     r40.0<1;1,0>:q    2:w               {Compacted,I@2}
        add (16|M0)              r8.0<1>:q     r32.3<0;1,0>:q    r2.0<1;1,0>:q    {Compacted,I@1}
        add (16|M0)              r10.0<1>:q    r32.4<0;1,0>:q    r2.0<1;1,0>:q    {Compacted}
        add (16|M0)              r12.0<1>:q    r32.5<0;1,0>:q    r2.0<1;1,0>:q    {Compacted}
        send.ugm (16|M0)         r7       r8      null:0  0x0            0x04100580           {I@3,$7} // wr:2+0, rd:1; load.ugm.d32.a64
        send.ugm (16|M0)         r14      r10     null:0  0x0            0x04100580           {A@2,$8} // wr:2+0, rd:1; load.ugm.d32.a64
        send.ugm (16|M0)         r15      r12     null:0  0x0            0x04100580           {A@1,$9} // wr:2+0, rd:1; load.ugm.d32.a64
        add (16|M0)              r40.0<1>:q    r40.0<1;1,0>:q    r33.1<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f0.0   null<1>:d     r40.0<2;1,0>:ud   r6.5<0;1,0>:ud   {I@1}
(f0.0)  cmp (16|M0)   (eq)f0.0   null<1>:d     r40.1<2;1,0>:d    r33.1<0;1,0>:d
(~f0.0) cmp (16|M0)   (lt)f0.0   null<1>:d     r40.1<2;1,0>:d    r33.1<0;1,0>:d
        sync.nop                             null                             {Compacted,F@2}
        sync.nop                             null                             {Compacted,$9.dst}
        mad (16|M0)              r36.0<1>:f    r36.0<1;0>:f      r7.0<1;0>:f       r15.0<1>:f       {Compacted,$7.dst}
        sync.nop                             null                             {Compacted,F@2}
        mad (16|M0)              r35.0<1>:f    r35.0<1;0>:f      r14.0<1;0>:f      r15.0<1>:f       {Compacted,$8.dst}
(f0.0)  goto.b (16|M0)                       L2024                  L1832
L2024:
        join (16|M0)                         L2040
L2040:
(W)     mov (16|M0)              r2.0<1>:ud    0x0:ud                              {Compacted}
        mov (16|M0)              r2.0<1>:f     r36.0<1;1,0>:f                   {Compacted,A@1}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,F@1}
(W)     mov (8|M0)               r9.0<1>:w     0x76543210:v
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@2}
(W)     add (8|M0)               r9.8<1>:w     r9.0<1;1,0>:w     8:w               {I@1}
(W)     mov (4|M0)               r7.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted,F@1}
        cmp (16|M0)   (eq)f3.1   null<2>:w     r9.0<1;1,0>:w     0:w               {I@2}
(W)     add (4|M0)               r8.0<1>:f     r4.0<1;1,0>:f     r7.0<1;1,0>:f    {Compacted,I@2}
(W)     add (1|M0)               r1.8<1>:f     r8.0<0;1,0>:f     r8.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r8.1<0;1,0>:f     r8.3<0;1,0>:f
(W)     add (1|M0)               r42.0<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {F@1}
(~f3.1) goto (16|M0)                         L2744                  L2744
L2192:
(W)     mov (1|M0)               r2.8<2>:b     r0.8<0;1,0>:b
(W)     mov (1|M0)               r2.0<2>:b     r0.0<0;1,0>:b
(W)     mov (1|M0)               r1.8<1>:d     r2.8<0;1,0>:ub                   {A@1}
(W)     mov (1|M0)               r2.1<2>:b     r0.1<0;1,0>:b                    {I@2}
(W)     shl (1|M0)               r3.0<1>:d     r1.8<0;1,0>:d     3:w               {Compacted,I@2}
(W)     mov (1|M0)               r2.2<2>:b     r0.2<0;1,0>:b
(W)     send.slm (1|M0)          null     r3      r42:1   0x0            0x02008504           {I@2,$10} // wr:1+1, rd:0; store.slm.d32x1t.a32
(W)     mov (1|M0)               r2.3<2>:b     r0.3<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r2.4<2>:b     r0.4<0;1,0>:b
(W)     mov (1|M0)               r2.5<2>:b     r0.5<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r2.6<2>:b     r0.6<0;1,0>:b
(W)     mov (1|M0)               r2.7<2>:b     r0.7<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r2.9<2>:b     r0.9<0;1,0>:b
(W)     mov (1|M0)               r2.10<2>:b    r0.10<0;1,0>:b
(W)     mov (1|M0)               r2.11<2>:b    r0.11<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.12<2>:b    r0.12<0;1,0>:b
(W)     mov (1|M0)               r2.13<2>:b    r0.13<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.14<2>:b    r0.14<0;1,0>:b
(W)     mov (1|M0)               r2.15<2>:b    r0.15<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.16<2>:b    r0.16<0;1,0>:b
(W)     mov (1|M0)               r2.17<2>:b    r0.17<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.18<2>:b    r0.18<0;1,0>:b
(W)     mov (1|M0)               r2.19<2>:b    r0.19<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.20<2>:b    r0.20<0;1,0>:b
(W)     mov (1|M0)               r2.21<2>:b    r0.21<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.22<2>:b    r0.22<0;1,0>:b
(W)     mov (1|M0)               r2.23<2>:b    r0.23<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.24<2>:b    r0.24<0;1,0>:b
(W)     mov (1|M0)               r2.25<2>:b    r0.25<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.26<2>:b    r0.26<0;1,0>:b
(W)     mov (1|M0)               r2.27<2>:b    r0.27<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.28<2>:b    r0.28<0;1,0>:b
(W)     mov (1|M0)               r2.29<2>:b    r0.29<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.30<2>:b    r0.30<0;1,0>:b
(W)     mov (1|M0)               r2.31<2>:b    r0.31<0;1,0>:b                   {I@1}
L2744:
        join (16|M0)                         L2760
L2760:
(W)     mov (16|M0)              r2.0<1>:ud    0x0:ud                              {Compacted}
        mov (16|M0)              r2.0<1>:ud    r35.0<1;1,0>:ud                  {Compacted}
        sync.nop                             null                             {Compacted,I@1}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,$10.src}
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@1}
(W)     mov (4|M0)               r7.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted,F@1}
(W)     add (4|M0)               r8.0<1>:f     r4.0<1;1,0>:f     r7.0<1;1,0>:f    {Compacted,I@1}
(W)     add (1|M0)               r1.8<1>:f     r8.0<0;1,0>:f     r8.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r8.1<0;1,0>:f     r8.3<0;1,0>:f
(W)     add (1|M0)               r43.0<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {F@1}
(~f3.1) goto (16|M0)                         L3432                  L3432
L2872:
(W)     mov (1|M0)               r2.8<2>:b     r0.8<0;1,0>:b
(W)     mov (1|M0)               r2.0<2>:b     r0.0<0;1,0>:b
(W)     mov (1|M0)               r1.8<1>:d     r2.8<0;1,0>:ub                   {A@1}
(W)     mov (1|M0)               r2.1<2>:b     r0.1<0;1,0>:b                    {I@2}
(W)     shl (1|M0)               r3.0<1>:d     r1.8<0;1,0>:d     3:w               {Compacted,I@2}
(W)     mov (1|M0)               r2.2<2>:b     r0.2<0;1,0>:b
(W)     add (1|M0)               r4.0<1>:d     r3.0<0;1,0>:d     4:w               {Compacted,I@2}
(W)     mov (1|M0)               r2.3<2>:b     r0.3<0;1,0>:b                    {I@2}
(W)     send.slm (1|M0)          null     r4      r43:1   0x0            0x02008504           {I@2,$11} // wr:1+1, rd:0; store.slm.d32x1t.a32
(W)     mov (1|M0)               r2.4<2>:b     r0.4<0;1,0>:b
(W)     mov (1|M0)               r2.5<2>:b     r0.5<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r2.6<2>:b     r0.6<0;1,0>:b
(W)     mov (1|M0)               r2.7<2>:b     r0.7<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r2.9<2>:b     r0.9<0;1,0>:b
(W)     mov (1|M0)               r2.10<2>:b    r0.10<0;1,0>:b
(W)     mov (1|M0)               r2.11<2>:b    r0.11<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.12<2>:b    r0.12<0;1,0>:b
(W)     mov (1|M0)               r2.13<2>:b    r0.13<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.14<2>:b    r0.14<0;1,0>:b
(W)     mov (1|M0)               r2.15<2>:b    r0.15<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.16<2>:b    r0.16<0;1,0>:b
(W)     mov (1|M0)               r2.17<2>:b    r0.17<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.18<2>:b    r0.18<0;1,0>:b
(W)     mov (1|M0)               r2.19<2>:b    r0.19<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.20<2>:b    r0.20<0;1,0>:b
(W)     mov (1|M0)               r2.21<2>:b    r0.21<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.22<2>:b    r0.22<0;1,0>:b
(W)     mov (1|M0)               r2.23<2>:b    r0.23<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.24<2>:b    r0.24<0;1,0>:b
(W)     mov (1|M0)               r2.25<2>:b    r0.25<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.26<2>:b    r0.26<0;1,0>:b
(W)     mov (1|M0)               r2.27<2>:b    r0.27<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.28<2>:b    r0.28<0;1,0>:b
(W)     mov (1|M0)               r2.29<2>:b    r0.29<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r2.30<2>:b    r0.30<0;1,0>:b
(W)     mov (1|M0)               r2.31<2>:b    r0.31<0;1,0>:b                   {I@1}
L3432:
        join (16|M0)                         L3448
L3448:
(W)     send.slm (1|M0)          r2       r0      null:0  0x0            0x0210011F           {I@2,$12} // wr:1+0, rd:1; fence.slm.none.group
(W)     mov (8|M0)               null<1>:ud    r2.0<1;1,0>:ud                   {Compacted,$12.dst}
(W)     send.ugm (1|M0)          r3       r0      null:0  0x0            0x0210271F           {$13} // wr:1+0, rd:1; fence.ugm.invalidate.gpu
(W)     mov (1|M0)               r4.2<1>:f     0.0:f                               {Compacted,$11.src}
(W)     mov (2|M0)               r4.10<1>:ub   r0.11<0;1,0>:ub                  {F@1}
(W)     mov (8|M0)               null<1>:ud    r3.0<1;1,0>:ud                   {Compacted,$13.dst}
(W)     send.gtwy (1|M0)         null     r4      null:0  0x0            0x02000004           {I@2,$14} // wr:1+0, rd:0; signal barrier
(W)     sync.bar                             0x0                                 {Compacted}
(W)     shl (1|M0)               r33.4<1>:d    r6.4<0;1,0>:d     -r32.2<0;1,0>:d
        cmp (16|M0)   (gt)f0.1   null<1>:d     r33.4<0;1,0>:d    r34.0<1;1,0>:d   {I@1}
(~f0.1) goto (16|M0)                         L8688                  L8688
L3592:
(W)     mov (1|M0)               r1.4<1>:uq    r5.0<0;1,0>:uq                   {Compacted}
(W)     cmp (16|M0)   (lt)f0.0   null<1>:d     r6.7<0;1,0>:d     3:w
(W)     mov (1|M0)               r1.5<1>:uq    r5.1<0;1,0>:uq
(W)     cmp (16|M0)   (gt)f2.0   null<1>:d     r6.12<0;1,0>:ud   0xF:uw
(W)     cmp (16|M0)   (eq)f1.1   null<1>:d     r1.8<0;1,0>:d     0:w               {I@4}
(W)     shl (1|M0)               r2.0<1>:d     r1.9<0;1,0>:d     4:w
(W)     cmp (16|M0)   (eq)f3.1   null<1>:d     r6.7<0;1,0>:d     3:w
(W)     mov (1|M0)               r1.6<1>:uq    r5.2<0;1,0>:uq
(W)     cmp (16|M0)   (eq)f1.0   null<1>:d     r1.10<0;1,0>:d    0:w               {I@6}
(W)     shl (1|M0)               r3.0<1>:d     r1.11<0;1,0>:d    4:w
(W)     asr (1|M0)               r2.0<1>:d     r2.0<0;1,0>:d     4:w               {Compacted,I@5}
(W)     mov (1|M0)               r42.15<1>:uw  f0.0<0;1,0>:uw
(W)     cmp (16|M0)   (eq)f0.1   null<1>:d     r1.12<0;1,0>:d    0:w               {I@5}
(W)     shl (1|M0)               r7.0<1>:d     r1.13<0;1,0>:d    4:w
(W)     cmp (16|M0)   (eq)f0.0   null<1>:d     r6.7<0;1,0>:d     2:w
(W)     mov (1|M0)               r42.14<1>:uw  f3.1<0;1,0>:uw
(W)     asr (1|M0)               r3.0<1>:d     r3.0<0;1,0>:d     4:w               {Compacted,I@7}
(W&f1.1) cmp (16|M0)  (eq)f1.1   null<1>:d     r2.0<0;1,0>:d     0:w               {I@7}
(W)     cmp (16|M0)   (eq)f3.0   null<1>:d     r6.7<0;1,0>:d     4:w
(W)     add (1|M0)               r2.0<1>:d     r32.5<0;1,0>:d    r32.0<0;1,0>:d
(W)     asr (1|M0)               r7.0<1>:d     r7.0<0;1,0>:d     4:w               {Compacted,I@7}
(W)     shr (1|M0)               r1.7<1>:q     r33.1<0;1,0>:uq   4:w
(W&f1.0) cmp (16|M0)  (eq)f1.0   null<1>:d     r3.0<0;1,0>:d     0:w               {I@6}
(W)     shl (1|M0)               r3.0<1>:q     r2.0<0;1,0>:d     2:w               {Compacted,I@4}
(W)     mov (1|M0)               r42.12<1>:uw  f0.0<0;1,0>:uw
(W&f0.1) cmp (16|M0)  (eq)f0.1   null<1>:d     r7.0<0;1,0>:d     0:w               {I@5}
(W)     cmp (16|M0)   (eq)f0.0   null<1>:d     r6.7<0;1,0>:d     1:w
(W)     mov (2|M0)               r33.5<1>:d    r5.14<1;1,0>:d
(W)     mov (2|M0)               r33.7<1>:d    r6.0<1;1,0>:d
(W)     mov (2|M0)               r33.9<1>:d    r6.2<1;1,0>:d
(W)     mov (1|M0)               r33.13<1>:f   -0.0:f
(W)     mov (1|M0)               r33.14<1>:f   0xBEAAAADE:f
(W)     mov (1|M0)               r33.15<1>:f   0xB5BFBE8E:f
(W)     mov (1|M0)               r42.1<1>:f    0xBF317200:f
(W)     mov (1|M0)               r42.13<1>:uw  f3.0<0;1,0>:uw
(W)     mov (2|M0)               r33.11<1>:d   r1.14<1;1,0>:d                   {I@7}
(W)     add (1|M0)               r44.0<1>:q    r3.0<0;1,0>:q     r5.0<0;1,0>:q    {Compacted,I@7}
L4136:
        and (16|M0)              r2.0<1>:d     r34.0<1;1,0>:d    1:w               {Compacted}
(f2.1)  sel (16|M0)              r45.0<1>:d    r2.0<1;1,0>:d     0:w               {I@1}
        add (16|M0)              r46.0<1>:d    r45.0<1;1,0>:d    r32.3<0;1,0>:d   {Compacted,I@1}
        cmp (16|M0)   (lt)f3.0   null<1>:d     r46.0<1;1,0>:d    r32.1<0;1,0>:d   {I@1}
(~f3.0) goto (16|M0)                         L8632                  L8632
L4200:
        shr (16|M0)              r47.0<1>:d    r34.0<1;1,0>:ud   -r32.2<0;1,0>:d
(W&f2.0) jmpi                                L4256
L4232:
        mov (16|M0)              r48.0<1>:f    0.0:f                               {Compacted,$15.src}
(W)     jmpi                                 L4432
L4256:
        shl (16|M0)              r2.0<1>:d     r47.0<1;1,0>:d    3:w               {Compacted,I@3}
        shl (16|M0)              r3.0<1>:d     r45.0<1;1,0>:d    2:w               {Compacted}
        mov (16|M0)              r48.0<1>:f    0.0:f                               {Compacted,$15.src}
        or (16|M0)               r49.0<1>:d    r2.0<1;1,0>:d     r3.0<1;1,0>:d    {Compacted,I@1}
(W)     mov (1|M0)               r42.1<1>:q    0:w
L4304:
(W)     shl (1|M0)               r1.8<1>:d     r42.2<0;1,0>:d    3:w               {I@1}
(W)     add (1|M0)               r42.1<1>:q    r42.1<0;1,0>:q    1:w               {Compacted}
        add (16|M0)              r2.0<1>:d     r1.8<0;1,0>:d     r49.0<1;1,0>:d   {Compacted,I@2}
        sync.nop                             null                             {Compacted,I@2}
(W)     mov (2|M0)               r4.0<1>:d     r42.2<1;1,0>:d                   {Compacted,$14.src}
        send.slm (16|M0)         r3       r2      null:0  0x0            0x02100500           {I@2,$0} // wr:1+0, rd:1; load.slm.d32.a32
(W)     cmp (16|M0)   (eq)f3.1   null<1>:d     r4.0<0;1,0>:d     r33.11<0;1,0>:d  {I@1}
(W&f3.1) cmp (16|M0)  (eq)f3.1   null<1>:d     r4.1<0;1,0>:d     r33.12<0;1,0>:d
        sync.nop                             null                             {Compacted,F@1}
        add (16|M0)              r48.0<1>:f    r48.0<1;1,0>:f    r3.0<1;1,0>:f    {Compacted,$0.dst}
(W&~f3.1) jmpi                               L4304
L4432:
(W&f1.1) jmpi                                L4504
L4448:
        sel (16|M0)   (lt)f0.0   r2.0<1>:d     r32.4<0;1,0>:d    r46.0<1;1,0>:d   {Compacted}
        mov (16|M0)              r7.0<2>:ud    r2.0<1;1,0>:ud                   {Compacted,I@1}
        shl (16|M0)              r10.0<1>:q    r7.0<2;1,0>:d     2:w               {Compacted,I@1}
        add (16|M0)              r12.0<1>:q    r10.0<1;1,0>:q    r5.0<0;1,0>:q    {Compacted,I@1}
        send.ugm (16|M0)         r3       r12     null:0  0x0            0x04100580           {A@1,$1} // wr:2+0, rd:1; load.ugm.d32.a64
        add (16|M0)              r48.0<1>:f    r48.0<1;1,0>:f    r3.0<1;1,0>:f    {Compacted,$1.dst}
L4504:
(W)     mov (1|M0)               f3.1<1>:uw    r42.15<0;1,0>:uw
(W&f3.1) jmpi                                L6888
L4536:
(W)     mov (1|M0)               f3.0<1>:uw    r42.14<0;1,0>:uw
(W&f3.0) jmpi                                L4632
L4568:
(W)     mov (1|M0)               f3.1<1>:uw    r42.13<0;1,0>:uw
        sel (16|M0)   (ge)f0.0   acc0.0<1>:f   r48.0<1;1,0>:f    0.0:f               {F@1}
(f3.1)  mov (16|M0)              r48.0<1>:f    acc0.0<1;1,0>:f
(W)     jmpi                                 L7624
L4632:
        mul (16|M0)              acc0.0<1>:f   r48.0<1;1,0>:f    0.044715:f               {F@1}
        mul (16|M0)              acc0.0<1>:f   r48.0<1;1,0>:f    acc0.0<1;1,0>:f
        mad (16|M0)              acc0.0<1>:f   r48.0<1;0>:f      acc0.0<1;0>:f     r48.0<1>:f
        mul (16|M0)              r51.0<1>:f    acc0.0<1;1,0>:f   7.978846e-01:f
        cmp (16|M0)   (eq)f3.1   null<1>:f     r51.0<1;1,0>:f    r51.0<1;1,0>:f   {A@1}
        mul (16|M0)              r50.0<1>:f    r48.0<1;1,0>:f    0.5:f
(f3.1)  goto (16|M0)                         L4776                  L4776
L4744:
        mov (16|M0)              r51.0<1>:f    qnan(0x3FFFFF):f
        goto (16|M0)                         L4776                  L6824
L4776:
        join (16|M0)                         L6824
L4792:
        cmp (16|M0)   (ge)f3.1   null<1>:f     r51.0<1;1,0>:f    0.0:f               {A@1}
        cmp (16|M0)   (lt)f3.0   null<1>:f     (abs)r51.0<1;1,0>:f  9.227935e-04:f
(f3.0)  goto (16|M0)                         L6824                  L6824
L4840:
        cmp (16|M0)   (lt)f3.0   null<1>:f     (abs)r51.0<1;1,0>:f  0x3EACB527:f            {I@1}
(f3.0)  goto (16|M0)                         L5592                  L5592
L4872:
        cmp (16|M0)   (lt)f3.0   null<1>:f     (abs)r51.0<1;1,0>:f  0x41987E0C:f            {I@1}
(f3.0)  goto (16|M0)                         L4968                  L4968
L4904:
        cmp (16|M0)   (gt)f3.1   null<1>:f     r51.0<1;1,0>:f    0.0:f
(W)     mov (1|M0)               r1.8<1>:ud    0x3F800000:ud
(f3.1)  sel (16|M0)              r51.0<1>:f    r1.8<0;1,0>:f     -1.0:f               {I@1}
        goto (16|M0)                         L4968                  L6824
L4968:
        join (16|M0)                         L5592
L4984:
        mul (16|M0)              acc0.0<1>:f   r51.0<1;1,0>:f    2.0:f               {F@1}
        mul (16|M0)              acc1.0<1>:f   acc0.0<1;1,0>:f   1.442695e+00:f
        add (16|M0)              acc1.0<1>:f   acc1.0<1;1,0>:f   0.5:f
        rndd (16|M0)             acc1.0<1>:f   acc1.0<1;1,0>:f
        mad (16|M0)              acc2.0<1>:f   acc0.0<1;0>:f     acc1.0<1;0>:f     r42.1<0>:f
        mad (16|M0)              r9.0<1>:f     acc2.0<1;0>:f     acc1.0<1;0>:f     r33.15<0>:f
        mul (16|M0)              acc3.0<1>:f   r9.0<1;1,0>:f     0x39506967:f               {F@1}
        add (16|M0)              acc3.0<1>:f   acc3.0<1;1,0>:f   0x3AB743CE:f
        mul (16|M0)              acc3.0<1>:f   r9.0<1;1,0>:f     acc3.0<1;1,0>:f
        add (16|M0)              acc3.0<1>:f   acc3.0<1;1,0>:f   8.333452e-03:f
        mul (16|M0)              acc3.0<1>:f   r9.0<1;1,0>:f     acc3.0<1;1,0>:f
        add (16|M0)              acc3.0<1>:f   acc3.0<1;1,0>:f   0x3D2AA9C1:f
        mul (16|M0)              acc3.0<1>:f   r9.0<1;1,0>:f     acc3.0<1;1,0>:f
        add (16|M0)              acc3.0<1>:f   acc3.0<1;1,0>:f   0x3E2AAAAA:f
        mul (16|M0)              acc3.0<1>:f   r9.0<1;1,0>:f     acc3.0<1;1,0>:f
        mul (16|M0)              r10.0<1>:f    r9.0<1;1,0>:f     r9.0<1;1,0>:f    {Compacted}
        add (16|M0)              acc3.0<1>:f   acc3.0<1;1,0>:f   0.5:f
        add (16|M0)              r3.0<1>:f     acc1.0<1;1,0>:f   0.0:f
        mul (16|M0)              acc1.0<1>:f   r10.0<1;1,0>:f    acc3.0<1;1,0>:f  {F@3}
        math.exp (16|M0)         r8.0<1>:f     r3.0<1;1,0>:f                    {F@2}
        cmp (16|M0)   (lt)f3.0   null<1>:f     acc0.0<1;1,0>:f   -105.0:f
        add (16|M0)              acc1.0<1>:f   r9.0<1;1,0>:f     acc1.0<1;1,0>:f
        add (16|M0)              acc1.0<1>:f   acc1.0<1;1,0>:f   1.0:f
        mul (16|M0)              r8.0<1>:f     r8.0<1;1,0>:f     acc1.0<1;1,0>:f  {M@1}
(f3.0)  mov (16|M0)              r8.0<1>:ud    0x0:ud                              {F@1}
        cmp (16|M0)   (gt)f3.1   null<1>:f     acc0.0<1;1,0>:f   105.0:f
(W)     mov (1|M0)               r1.8<1>:ud    0x4F800000:ud
(f3.1)  mov (16|M0)              r8.0<1>:ud    0x7F800000:ud
        add (16|M0)              r13.0<1>:f    r8.0<1;1,0>:f     1.0:f               {I@1}
        and (16|M0)   (eq)f3.0   r10.0<1>:d    r13.0<1;1,0>:d    2139095040:d               {F@1}
        add (16|M0)              acc0.0<1>:f   r8.0<1;1,0>:f     -1.0:f
(f3.0)  sel (16|M0)              r9.0<1>:f     r1.8<0;1,0>:f     1.0:f
        cmp (16|M0)   (ge)f3.1   null<1>:d     r10.0<1;1,0>:ud   0x64000000:ud              {I@1}
(f3.1)  mov (16|M0)              r9.0<1>:ud    0x2F800000:ud                              {F@1}
        mul (16|M0)              r3.0<1>:f     r13.0<1;1,0>:f    r9.0<1;1,0>:f    {Compacted,I@1}
        math.inv (16|M0)         r3.0<1>:f     r3.0<1;1,0>:f                    {F@1}
        mul (16|M0)              acc0.0<1>:f   r3.0<1;1,0>:f     acc0.0<1;1,0>:f  {M@1}
        mul (16|M0)              r51.0<1>:f    acc0.0<1;1,0>:f   r9.0<1;1,0>:f
        goto (16|M0)                         L5592                  L6824
L5592:
        join (16|M0)                         L6824
L5608:
        mul (16|M0)              acc0.0<1>:f   (abs)r51.0<1;1,0>:f  1.442695e+00:f            {F@1}
        add (16|M0)              acc0.0<1>:f   acc0.0<1;1,0>:f   0.5:f
        rndd (16|M0)             acc0.0<1>:f   acc0.0<1;1,0>:f
        mad (16|M0)              acc1.0<1>:f   (abs)r51.0<1;0>:f  acc0.0<1;0>:f    r42.1<0>:f
        mad (16|M0)              acc1.0<1>:f   acc1.0<1;0>:f     acc0.0<1;0>:f     r33.15<0>:f
        mul (16|M0)              acc2.0<1>:f   acc1.0<1;1,0>:f   0x39506967:f
        add (16|M0)              r12.0<1>:f    acc2.0<1;1,0>:f   0x3AB743CE:f
        mul (16|M0)              acc2.0<1>:f   acc1.0<1;1,0>:f   r12.0<1;1,0>:f   {F@1}
        add (16|M0)              r12.0<1>:f    acc2.0<1;1,0>:f   8.333452e-03:f
        mul (16|M0)              acc2.0<1>:f   acc1.0<1;1,0>:f   r12.0<1;1,0>:f   {F@1}
        add (16|M0)              r12.0<1>:f    acc2.0<1;1,0>:f   0x3D2AA9C1:f
        mul (16|M0)              acc2.0<1>:f   acc1.0<1;1,0>:f   r12.0<1;1,0>:f   {F@1}
        add (16|M0)              r12.0<1>:f    acc2.0<1;1,0>:f   0x3E2AAAAA:f
        mul (16|M0)              acc3.0<1>:f   r51.0<1;1,0>:f    r51.0<1;1,0>:f   {Compacted}
        mul (16|M0)              r12.0<1>:f    acc1.0<1;1,0>:f   r12.0<1;1,0>:f   {F@2}
        mul (16|M0)              r3.0<1>:f     acc3.0<1;1,0>:f   r51.0<1;1,0>:f
        add (16|M0)              r12.0<1>:f    r12.0<1;1,0>:f    0.5:f               {F@2}
        mul (16|M0)              acc3.0<1>:f   acc3.0<1;1,0>:f   r3.0<1;1,0>:f    {F@2}
        mul (16|M0)              r12.0<1>:f    acc1.0<1;1,0>:f   r12.0<1;1,0>:f   {F@2}
(W)     mov (1|M0)               r1.8<1>:ud    0xC0000000:ud
        mul (16|M0)              acc3.0<1>:f   acc3.0<1;1,0>:f   8.333334e-03:f
        mul (16|M0)              acc2.0<1>:f   r3.0<1;1,0>:f     0x3E2AAAAB:f
        mul (16|M0)              r12.0<1>:f    acc1.0<1;1,0>:f   r12.0<1;1,0>:f   {F@3}
        add (16|M0)              acc2.0<1>:f   acc2.0<1;1,0>:f   acc3.0<1;1,0>:f
(f3.1)  sel (16|M0)              acc3.0<1>:f   r1.8<0;1,0>:f     2.0:f               {I@1}
        add (16|M0)              r12.0<1>:f    acc1.0<1;1,0>:f   r12.0<1;1,0>:f   {F@3}
        mul (16|M0)              acc1.0<1>:f   (abs)r51.0<1;1,0>:f  1.442695e+00:f
        add (16|M0)              r2.0<1>:f     acc3.0<1;1,0>:f   acc0.0<1;1,0>:f
        add (16|M0)              acc0.0<1>:f   acc1.0<1;1,0>:f   0.5:f
        add (16|M0)              r7.0<1>:f     acc2.0<1;1,0>:f   r51.0<1;1,0>:f
        math.exp (16|M0)         r3.0<1>:f     r2.0<1;1,0>:f                    {F@3}
        rndd (16|M0)             acc0.0<1>:f   acc0.0<1;1,0>:f
        add (16|M0)              acc2.0<1>:f   r12.0<1;1,0>:f    1.0:f
        mad (16|M0)              acc3.0<1>:f   (abs)r51.0<1;0>:f  acc0.0<1;0>:f    r42.1<0>:f
        mul (16|M0)              r3.0<1>:f     r3.0<1;1,0>:f     acc2.0<1;1,0>:f  {M@1}
        mad (16|M0)              acc2.0<1>:f   acc3.0<1;0>:f     acc0.0<1;0>:f     r33.15<0>:f
        cmp (16|M0)   (lt)f3.0   null<1>:f     (abs)r51.0<1;1,0>:f  -105.0:f
        mul (16|M0)              acc3.0<1>:f   acc2.0<1;1,0>:f   0x39506967:f
        add (16|M0)              r13.0<1>:f    acc3.0<1;1,0>:f   0x3AB743CE:f
(f3.0)  mov (16|M0)              r3.0<1>:ud    0x0:ud                              {F@5}
        mul (16|M0)              acc3.0<1>:f   acc2.0<1;1,0>:f   r13.0<1;1,0>:f   {F@1}
        cmp (16|M0)   (gt)f3.0   null<1>:f     (abs)r51.0<1;1,0>:f  105.0:f            {I@1}
        add (16|M0)              r13.0<1>:f    acc3.0<1;1,0>:f   8.333452e-03:f
(f3.0)  mov (16|M0)              r3.0<1>:ud    0x7F800000:ud
        mul (16|M0)              acc3.0<1>:f   acc2.0<1;1,0>:f   r13.0<1;1,0>:f   {F@1}
        math.inv (16|M0)         r8.0<1>:f     r3.0<1;1,0>:f                    {I@1}
        add (16|M0)              r13.0<1>:f    acc3.0<1;1,0>:f   0x3D2AA9C1:f
        mul (16|M0)              acc3.0<1>:f   acc2.0<1;1,0>:f   r13.0<1;1,0>:f   {F@1}
        add (16|M0)              r13.0<1>:f    acc3.0<1;1,0>:f   0x3E2AAAAA:f
(f3.1)  sel (16|M0)              r10.0<1>:f    r3.0<1;1,0>:f     r8.0<1;1,0>:f    {M@1}
        cmp (16|M0)   (le)f3.0   null<1>:f     r51.0<1;1,0>:f    0.0:f
        mul (16|M0)              acc3.0<1>:f   acc2.0<1;1,0>:f   r13.0<1;1,0>:f   {F@3}
        add (16|M0)              r13.0<1>:f    acc3.0<1;1,0>:f   0.5:f
(f3.0)  sel (16|M0)              acc1.0<1>:f   r1.8<0;1,0>:f     2.0:f
        mul (16|M0)              r13.0<1>:f    acc2.0<1;1,0>:f   r13.0<1;1,0>:f   {F@2}
        add (16|M0)              r2.0<1>:f     acc1.0<1;1,0>:f   acc0.0<1;1,0>:f
        mul (16|M0)              acc0.0<1>:f   acc2.0<1;1,0>:f   r13.0<1;1,0>:f   {F@2}
        math.exp (16|M0)         r3.0<1>:f     r2.0<1;1,0>:f                    {F@2}
        cmp (16|M0)   (lt)f3.1   null<1>:f     (abs)r51.0<1;1,0>:f  -105.0:f
        add (16|M0)              acc0.0<1>:f   acc2.0<1;1,0>:f   acc0.0<1;1,0>:f
        add (16|M0)              acc0.0<1>:f   acc0.0<1;1,0>:f   1.0:f
        mul (16|M0)              r3.0<1>:f     r3.0<1;1,0>:f     acc0.0<1;1,0>:f  {M@1}
(f3.1)  mov (16|M0)              r3.0<1>:ud    0x0:ud                              {F@1}
        cmp (16|M0)   (gt)f3.1   null<1>:f     (abs)r51.0<1;1,0>:f  105.0:f            {I@1}
(W)     mov (1|M0)               r1.8<1>:ud    0x4F800000:ud
(f3.1)  mov (16|M0)              r3.0<1>:ud    0x7F800000:ud
        math.inv (16|M0)         r8.0<1>:f     r3.0<1;1,0>:f                    {I@1}
(~f3.0) mov (16|M0)              r3.0<1>:ud    r8.0<1;1,0>:ud                   {M@1}
        add (16|M0)              acc0.0<1>:f   r10.0<1;1,0>:f    r3.0<1;1,0>:f    {Compacted,I@1}
        mul (16|M0)              r11.0<1>:f    acc0.0<1;1,0>:f   2.0:f
        and (16|M0)   (eq)f3.0   r12.0<1>:d    r11.0<1;1,0>:d    2139095040:d               {F@1}
(f3.0)  sel (16|M0)              r2.0<1>:f     r1.8<0;1,0>:f     1.0:f
        cmp (16|M0)   (ge)f3.1   null<1>:d     r12.0<1;1,0>:ud   0x64000000:ud              {I@1}
(f3.1)  mov (16|M0)              r2.0<1>:ud    0x2F800000:ud                              {F@1}
        mul (16|M0)              r9.0<1>:f     r11.0<1;1,0>:f    r2.0<1;1,0>:f    {Compacted,I@1}
        math.inv (16|M0)         r9.0<1>:f     r9.0<1;1,0>:f                    {F@1}
        mul (16|M0)              acc0.0<1>:f   r9.0<1;1,0>:f     r7.0<1;1,0>:f    {Compacted,M@1}
        mul (16|M0)              r51.0<1>:f    acc0.0<1;1,0>:f   r2.0<1;1,0>:f
L6824:
        join (16|M0)                         L8632
L6840:
        add (16|M0)              acc0.0<1>:f   r51.0<1;1,0>:f    1.0:f               {F@1}
        mul (16|M0)              r48.0<1>:f    r50.0<1;1,0>:f    acc0.0<1;1,0>:f
(W)     jmpi                                 L7624
L6888:
(W)     mov (1|M0)               f3.0<1>:uw    r42.12<0;1,0>:uw
(W&f3.0) jmpi                                L7264
L6920:
(W&~f0.0) jmpi                               L7624
L6936:
        mul (16|M0)              acc0.0<1>:f   r48.0<1;1,0>:f    -1.442695e+00:f               {F@1}
        rndz (16|M0)             r3.0<1>:f     acc0.0<1;1,0>:f
        mad (16|M0)              acc0.0<1>:f   -r48.0<1;0>:f     r3.0<1;0>:f       r42.1<0>:f       {F@1}
        mad (16|M0)              acc0.0<1>:f   acc0.0<1;0>:f     r3.0<1;0>:f       r33.15<0>:f      {Compacted}
        mul (16|M0)              r8.0<1>:f     acc0.0<1;1,0>:f   1.442695e+00:f
        math.exp (16|M0)         r9.0<1>:f     r3.0<1;1,0>:f
        cmp (16|M0)   (gt)f3.0   null<1>:f     r48.0<1;1,0>:f    105.0:f               {A@1}
        math.exp (16|M0)         r10.0<1>:f    r8.0<1;1,0>:f                    {F@2}
        mul (16|M0)              acc0.0<1>:f   r9.0<1;1,0>:f     r10.0<1;1,0>:f   {Compacted,A@1}
        add (16|M0)              r9.0<1>:f     acc0.0<1;1,0>:f   1.0:f
(f3.0)  mov (16|M0)              r9.0<1>:f     1.0:f
        cmp (16|M0)   (lt)f3.1   null<1>:f     r48.0<1;1,0>:f    -105.0:f
(W)     mov (1|M0)               r1.8<1>:f     0x4F800000:f                               {Compacted}
(~f3.1) sel (16|M0)              r11.0<1>:f    r9.0<1;1,0>:f     inf:f               {F@3}
        and (16|M0)   (eq)f3.0   r2.0<1>:d     r11.0<1;1,0>:d    2139095040:d               {F@1}
(f3.0)  sel (16|M0)              r7.0<1>:f     r1.8<0;1,0>:f     1.0:f
        cmp (16|M0)   (ge)f3.1   null<1>:d     r2.0<1;1,0>:ud    0x64000000:ud              {I@1}
(f3.1)  mov (16|M0)              r7.0<1>:f     0x2F800000:f
        mul (16|M0)              r3.0<1>:f     r11.0<1;1,0>:f    r7.0<1;1,0>:f    {Compacted,F@1}
        math.inv (16|M0)         r3.0<1>:f     r3.0<1;1,0>:f                    {F@1}
        mul (16|M0)              acc0.0<1>:f   r3.0<1;1,0>:f     r48.0<1;1,0>:f   {Compacted,M@1}
        mul (16|M0)              r48.0<1>:f    acc0.0<1;1,0>:f   r7.0<1;1,0>:f
(W)     jmpi                                 L7624
L7264:
        mul (16|M0)              r3.0<1>:f     r48.0<1;1,0>:f    0x3F3504F3:f               {F@1}
        and (16|M0)              r7.0<1>:d     r3.0<1;1,0>:d     2147483647:d               {F@1}
        sel (16|M0)   (lt)f0.0   acc0.0<1>:f   r7.0<1;1,0>:f     0x407B8000:f               {I@1}
        add (16|M0)              r9.0<1>:f     acc0.0<1;1,0>:f   65536.0:f
        shl (16|M0)              r13.0<1>:d    r9.0<1;1,0>:d     3:w               {Compacted,F@1}
(W)     add (1|M0)               r1.4<1>:q     r31.0<0;1,0>:q    -1006632960:d
        mov (16|M0)              r14.0<2>:ud   r13.0<1;1,0>:ud                  {Compacted,I@2}
        add (16|M0)              r16.0<1>:q    r14.0<2;1,0>:ud   r1.4<0;1,0>:q    {I@1}
        cmp (16|M0)   (gt)f3.1   r12.0<1>:f    acc0.0<1;1,0>:f   0x2F800000:f
        add (16|M0)              acc1.0<1>:f   r9.0<1;1,0>:f     -65536.0:f
        send.ugm (16|M0)         r18      r16     null:0  0x0            0x04281580           {I@1,$2} // wr:2+0, rd:2; load.ugm.d32x2.a64.ca.ca
        add (16|M0)              r11.0<1>:f    acc0.0<1;1,0>:f   -acc1.0<1;1,0>:f
        and (16|M0)              r12.0<1>:d    r12.0<1;1,0>:d    r11.0<1;1,0>:d   {Compacted,A@1}
        mul (16|M0)              acc0.0<1>:f   acc1.0<1;1,0>:f   -r11.0<1;1,0>:f
        mul (16|M0)              acc1.0<1>:f   r12.0<1;1,0>:f    r12.0<1;1,0>:f   {Compacted,I@1}
        sel (16|M0)   (lt)f0.0   r20.0<1>:f    r11.0<1;1,0>:f    r7.0<1;1,0>:f    {Compacted}
        mad (16|M0)              acc0.0<1>:f   acc0.0<1;0>:f     acc1.0<1;0>:f     r33.14<0>:f
        mad (16|M0)              acc0.0<1>:f   r20.0<1;0>:f      acc0.0<1;0>:f     r20.0<1>:f       {F@2}
        cmp (16|M0)   (ne)f3.0   r9.0<1>:f     r3.0<1;1,0>:f     r3.0<1;1,0>:f
        mad (16|M0)              r8.0<1>:f     r18.0<1;0>:f      acc0.0<1;0>:f     r19.0<1>:f       {$2.dst}
        bfn.0xF8 (16|M0)         r25.0<1>:ud   r3.0<1;0>:ud      r33.13<0;0>:ud    r8.0<1>:ud       {F@1} // s0&s1|s2
        bfn.0xD8 (16|M0)         r25.0<1>:ud   r9.0<1;0>:ud      r3.0<1;0>:ud      r25.0<1>:ud      {I@1} // s0&s1|~s0&s2
        mul (16|M0)              acc0.0<1>:f   r48.0<1;1,0>:f    0.5:f
        add (16|M0)              r26.0<1>:f    r25.0<1;1,0>:f    1.0:f               {I@1}
        mul (16|M0)              r48.0<1>:f    acc0.0<1;1,0>:f   r26.0<1;1,0>:f   {F@1}
L7624:
(W&f2.1) jmpi                                L7904
L7640:
(W&f2.0) jmpi                                L7680
L7656:
        mov (16|M0)              r52.0<1>:f    0.0:f                               {Compacted}
(W)     jmpi                                 L7848
L7680:
        shl (16|M0)              r53.0<1>:d    r47.0<1;1,0>:d    3:w               {Compacted}
        mov (16|M0)              r52.0<1>:f    0.0:f                               {Compacted}
(W)     mov (1|M0)               r42.2<1>:q    0:w
L7712:
(W)     shl (1|M0)               r1.8<1>:d     r42.4<0;1,0>:d    3:w               {I@1}
(W)     add (1|M0)               r42.2<1>:q    r42.2<0;1,0>:q    1:w               {Compacted}
        add3 (16|M0)             r2.0<1>:d     r1.8<0;0>:d       r53.0<1;0>:d      4:w               {I@2}
        sync.nop                             null                             {Compacted,I@2}
(W)     mov (2|M0)               r4.0<1>:d     r42.4<1;1,0>:d                   {Compacted,$14.src}
        send.slm (16|M0)         r3       r2      null:0  0x0            0x02100500           {I@2,$3} // wr:1+0, rd:1; load.slm.d32.a32
(W)     cmp (16|M0)   (eq)f3.0   null<1>:d     r4.0<0;1,0>:d     r33.11<0;1,0>:d  {I@1}
(W&f3.0) cmp (16|M0)  (eq)f3.0   null<1>:d     r4.1<0;1,0>:d     r33.12<0;1,0>:d
        sync.nop                             null                             {Compacted,F@1}
        add (16|M0)              r52.0<1>:f    r52.0<1;1,0>:f    r3.0<1;1,0>:f    {Compacted,$3.dst}
(W&~f3.0) jmpi                               L7712
L7848:
(W&f1.1) jmpi                                L7896
L7864:
(W)     send.ugm (1|M0)          r2       r44     null:0  0x0            0x02108580           {$4} // wr:1+0, rd:1; load.ugm.d32x1t.a64
        sync.nop                             null                             {Compacted,F@1}
        add (16|M0)              r52.0<1>:f    r52.0<1;1,0>:f    r2.0<0;1,0>:f    {Compacted,$4.dst}
L7896:
        mul (16|M0)              r48.0<1>:f    r48.0<1;1,0>:f    r52.0<1;1,0>:f   {Compacted,F@1}
L7904:
(W&f1.0) jmpi                                L8120
L7920:
(W)     mul (16|M0)              acc0.0<1>:ud  r47.0<1;1,0>:ud   r33.10<0;1,0>:uw
        macl (16|M0)             r2.0<1>:ud    r47.0<1;1,0>:ud   r33.5<0;1,0>:ud
(W)     mul (16|M0)              acc0.0<1>:ud  r47.0<1;1,0>:ud   r33.10<0;1,0>:uw
        mach (16|M0)             r3.0<1>:d     r47.0<1;1,0>:ud   r33.5<0;1,0>:ud
(W)     mul (16|M0)              acc0.0<1>:d   r47.0<1;1,0>:ud   r33.12<0;1,0>:uw
        macl (16|M0)             r7.0<1>:d     r47.0<1;1,0>:ud   r33.6<0;1,0>:d
        add (16|M0)              r3.0<1>:d     r3.0<1;1,0>:d     r7.0<1;1,0>:d    {Compacted,I@1}
        mov (16|M0)              r8.0<2>:ud    r2.0<1;1,0>:ud                   {Compacted}
        mov (16|M0)              r8.1<2>:d     r3.0<1;1,0>:d                    {I@2}
        mov (16|M0)              r14.0<2>:ud   r46.0<1;1,0>:ud                  {Compacted}
        shl (16|M0)              r10.0<1>:q    r8.0<1;1,0>:q     2:w               {Compacted,I@2}
        shl (16|M0)              r16.0<1>:q    r14.0<2;1,0>:d    2:w               {Compacted,I@2}
        add (16|M0)              r12.0<1>:q    r10.0<1;1,0>:q    r5.1<0;1,0>:q    {Compacted,I@2}
        add (16|M0)              r18.0<1>:q    r12.0<1;1,0>:q    r16.0<1;1,0>:q   {Compacted,I@1}
        send.ugm (16|M0)         r20      r18     null:0  0x0            0x04100580           {I@1,$5} // wr:2+0, rd:1; load.ugm.d32.a64
        sync.nop                             null                             {Compacted,F@1}
        add (16|M0)              r48.0<1>:f    r48.0<1;1,0>:f    r20.0<1;1,0>:f   {Compacted,$5.dst}
L8120:
        mov (16|M0)              r2.0<2>:ud    r47.0<1;1,0>:ud                  {Compacted}
        mov (16|M0)              r10.0<2>:ud   r46.0<1;1,0>:ud                  {Compacted}
        mov (16|M0)              r8.0<1>:q     r2.0<2;1,0>:ud                   {I@2}
        mov (16|M0)              r56.0<1>:q    r10.0<2;1,0>:d                   {I@2}
        mov (16|M0)              r54.0<1>:d    r8.0<2;1,0>:d                    {Compacted,I@2}
        mov (16|M0)              r55.0<1>:d    r8.1<2;1,0>:d                    {Compacted}
(W&f0.1) jmpi                                L8424
L8200:
(W)     mul (16|M0)              acc0.0<1>:ud  r54.0<1;1,0>:ud   r33.14<0;1,0>:uw {I@3}
        macl (16|M0)             r2.0<1>:ud    r54.0<1;1,0>:ud   r33.7<0;1,0>:ud
(W)     mul (16|M0)              acc0.0<1>:ud  r54.0<1;1,0>:ud   r33.14<0;1,0>:uw
        mach (16|M0)             r3.0<1>:d     r54.0<1;1,0>:ud   r33.7<0;1,0>:ud
(W)     mul (16|M0)              acc0.0<1>:d   r54.0<1;1,0>:ud   r33.16<0;1,0>:uw
        macl (16|M0)             r7.0<1>:d     r54.0<1;1,0>:ud   r33.8<0;1,0>:d
(W)     mul (16|M0)              acc0.0<1>:d   r33.7<0;1,0>:ud   r55.0<2;1,0>:uw  {I@7}
        add (16|M0)              r3.0<1>:d     r3.0<1;1,0>:d     r7.0<1;1,0>:d    {Compacted,I@2}
        macl (16|M0)             r7.0<1>:d     r33.7<0;1,0>:ud   r55.0<1;1,0>:d
        mov (16|M0)              r8.0<2>:ud    r2.0<1;1,0>:ud                   {Compacted}
        add (16|M0)              r8.1<2>:d     r3.0<1;1,0>:d     r7.0<1;1,0>:d    {I@2}
        shl (16|M0)              r10.0<1>:q    r8.0<1;1,0>:q     2:w               {Compacted,I@1}
        shl (16|M0)              r14.0<1>:q    r56.0<1;1,0>:q    2:w               {Compacted}
        add (16|M0)              r12.0<1>:q    r10.0<1;1,0>:q    r5.2<0;1,0>:q    {Compacted,I@2}
        add (16|M0)              r16.0<1>:q    r12.0<1;1,0>:q    r14.0<1;1,0>:q   {Compacted,I@1}
        send.ugm (16|M0)         r2       r16     null:0  0x0            0x04100580           {I@1,$6} // wr:2+0, rd:1; load.ugm.d32.a64
        sync.nop                             null                             {Compacted,F@1}
        add (16|M0)              r48.0<1>:f    r48.0<1;1,0>:f    r2.0<1;1,0>:f    {Compacted,$6.dst}
L8424:
(W)     mul (16|M0)              acc0.0<1>:ud  r54.0<1;1,0>:ud   r33.18<0;1,0>:uw
        macl (16|M0)             r2.0<1>:ud    r54.0<1;1,0>:ud   r33.9<0;1,0>:ud  {F@1}
(W)     mul (16|M0)              acc0.0<1>:ud  r54.0<1;1,0>:ud   r33.18<0;1,0>:uw
        mach (16|M0)             r3.0<1>:d     r54.0<1;1,0>:ud   r33.9<0;1,0>:ud
(W)     mul (16|M0)              acc0.0<1>:d   r54.0<1;1,0>:ud   r33.20<0;1,0>:uw
        macl (16|M0)             r7.0<1>:d     r54.0<1;1,0>:ud   r33.10<0;1,0>:d
(W)     mul (16|M0)              acc0.0<1>:d   r33.9<0;1,0>:ud   r55.0<2;1,0>:uw
        add (16|M0)              r3.0<1>:d     r3.0<1;1,0>:d     r7.0<1;1,0>:d    {Compacted,I@2}
        macl (16|M0)             r7.0<1>:d     r33.9<0;1,0>:ud   r55.0<1;1,0>:d
        mov (16|M0)              r8.0<2>:ud    r2.0<1;1,0>:ud                   {Compacted}
        add (16|M0)              r8.1<2>:d     r3.0<1;1,0>:d     r7.0<1;1,0>:d    {I@2}
        shl (16|M0)              r10.0<1>:q    r8.0<1;1,0>:q     2:w               {Compacted,I@1}
        shl (16|M0)              r14.0<1>:q    r56.0<1;1,0>:q    2:w               {Compacted}
        add (16|M0)              r12.0<1>:q    r10.0<1;1,0>:q    r5.3<0;1,0>:q    {Compacted,I@2}
        add (16|M0)              r16.0<1>:q    r12.0<1;1,0>:q    r14.0<1;1,0>:q   {Compacted,I@1}
        send.ugm (16|M0)         null     r16     r48:1   0x0            0x04000584           {I@1,$15} // wr:2+1, rd:0; store.ugm.d32.a64
L8632:
        join (16|M0)                         L8688
L8648:
        add (16|M0)              r34.0<1>:d    r34.0<1;1,0>:d    r6.12<0;1,0>:d   {Compacted}
        cmp (16|M0)   (lt)f3.0   null<1>:d     r34.0<1;1,0>:d    r33.4<0;1,0>:d   {I@1}
(f3.0)  goto.b (16|M0)                       L8688                  L4136
L8688:
        join (16|M0)                         L8704
L8704:
(W)     mov (16|M0)              r127.0<1>:f   r0.0<1;1,0>:f                    {Compacted}
(W)     send.gtwy (8|M0)         null     r127    null:0  0x0            0x02000010           {EOT,F@1} // wr:1+0, rd:0; end of thread
L8728:
        illegal
        illegal
        illegal
        illegal
        illegal
        illegal
        illegal
        illegal
        illegal
        illegal
