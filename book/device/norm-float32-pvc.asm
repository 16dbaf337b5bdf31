// norm, float32, pvc: Debian's intel-opencl-icd 22.43.24595.41-1, SPIR-V by intel-sycl-rt 2026.0.0
L0:
(W)     mov (16|M0)              r127.0<1>:ud  0x0:ud
(W)     and (1|M0)               r127.2<1>:ud  r0.0<0;1,0>:ud    0xFFFFFFC0:ud
(W)     and (1|M0)               r127.0<1>:uw  r0.4<0;1,0>:uw    0xFF:uw
(W)     add (1|M0)               r127.2<1>:ud  r127.2<0;1,0>:ud  0x80:uw              {I@2}
(W)     mad (1|M0)               r127.0<1>:ud  r127.2<0;0>:ud    r127.0<0;0>:uw    0xC0:uw              {I@1}
        send.ugm (1|M0)          r1       r127    null:0  0xFF000000            0x6228E500           {A@1,$0} // wr:1+0, rd:2; load.ugm.d32x32t.a32.ca.ca.bti[255]
(W)     add (1|M0)               r127.0<1>:ud  r127.0<0;1,0>:ud  0x80:uw              {$0.src}
        send.ugm (1|M0)          r3       r127    null:0  0xFF000000            0x6218D500           {A@1,$1} // wr:1+0, rd:1; load.ugm.d32x16t.a32.ca.ca.bti[255]
(W)     and (1|M0)               r127.0<1>:ud  r0.0<0;1,0>:ud    0xFFFFFFC0:ud              {$1.src}
        send.ugm (1|M0)          r4       r127    null:0  0xFF000000            0x6228E500           {I@1,$2} // wr:1+0, rd:2; load.ugm.d32x32t.a32.ca.ca.bti[255]
(W)     or (1|M0)                cr0.0<1>:ud   cr0.0<0;1,0>:ud   0x4C0:uw              {Compacted,A@1}
        sync.nop                             null                             {Compacted,A@1}
        sync.nop                             null                             {Compacted,$2.dst}
(W)     mov (2|M0)               r1.8<1>:d     r5.0<1;1,0>:d                    {Compacted,A@1,$0.dst}
(W)     mov (1|M0)               r1.10<1>:d    r0.1<0;1,0>:d
(W)     asr (1|M0)               r19.2<1>:d    r5.2<0;1,0>:d     31:w               {Compacted}
(W)     mul (1|M0)               acc0.0<1>:ud  r1.10<0;1,0>:ud   r1.16<0;1,0>:uw  {I@2}
(W)     macl (1|M0)              r2.0<1>:ud    r1.10<0;1,0>:ud   r1.8<0;1,0>:ud
(W)     mul (1|M0)               acc0.0<1>:ud  r1.10<0;1,0>:ud   r1.16<0;1,0>:uw
(W)     mach (1|M0)              r3.0<1>:d     r1.10<0;1,0>:ud   r1.8<0;1,0>:ud   {$1.dst}
(W)     mul (1|M0)               acc0.0<1>:d   r1.10<0;1,0>:ud   r1.18<0;1,0>:uw
(W)     macl (1|M0)              r4.0<1>:d     r1.10<0;1,0>:ud   r1.9<0;1,0>:d
(W)     mul (1|M0)               acc0.0<1>:ud  r1.10<0;1,0>:ud   r5.4<0;1,0>:uw
(W)     macl (1|M0)              r7.0<1>:ud    r1.10<0;1,0>:ud   r5.2<0;1,0>:ud
(W)     mul (1|M0)               acc0.0<1>:ud  r1.10<0;1,0>:ud   r5.4<0;1,0>:uw
(W)     mach (1|M0)              r8.0<1>:d     r1.10<0;1,0>:ud   r5.2<0;1,0>:ud
(W)     mul (1|M0)               acc0.0<1>:d   r1.10<0;1,0>:ud   r19.4<0;1,0>:uw  {I@7}
(W)     add (1|M0)               r3.0<1>:d     r3.0<0;1,0>:d     r4.0<0;1,0>:d    {Compacted,I@6}
(W)     macl (1|M0)              r9.0<1>:d     r1.10<0;1,0>:ud   r19.2<0;1,0>:d
(W)     mov (1|M0)               r2.1<1>:d     r3.0<0;1,0>:d                    {Compacted,I@2}
(W)     add (1|M0)               r8.0<1>:d     r8.0<0;1,0>:d     r9.0<0;1,0>:d    {Compacted,I@2}
(W)     shl (1|M0)               r5.2<1>:q     r2.0<0;1,0>:q     2:w               {Compacted,I@2}
(W)     mov (1|M0)               r7.1<1>:d     r8.0<0;1,0>:d                    {Compacted,I@2}
(W)     mov (1|M0)               r1.7<1>:uq    r4.6<0;1,0>:uq
(W)     add (1|M0)               r19.0<1>:q    r5.2<0;1,0>:q     r4.4<0;1,0>:q    {Compacted,I@3}
(W)     shl (1|M0)               r2.0<1>:q     r7.0<0;1,0>:q     2:w               {Compacted,I@3}
(W)     cmp (16|M0)   (eq)f0.0   null<1>:d     r1.14<0;1,0>:d    0:w               {I@3}
(W)     shl (1|M0)               r10.0<1>:d    r1.15<0;1,0>:d    4:w
(W)     mov (1|M0)               r1.6<1>:uq    r4.5<0;1,0>:uq
(W)     mov (1|M0)               r6.0<1>:uq    r19.0<0;1,0>:uq                  {Compacted,I@5}
(W)     add (1|M0)               r19.2<1>:q    r2.0<0;1,0>:q     r4.7<0;1,0>:q    {Compacted,I@5}
(W)     asr (1|M0)               r10.0<1>:d    r10.0<0;1,0>:d    4:w               {Compacted,I@4}
(W)     mov (1|M0)               r3.3<1>:d     15:w                               {Compacted}
(W)     bfn.0xFE (1|M0)          r3.2<1>:ud    r1.14<0;0>:ud     r1.12<0;0>:ud     r6.0<0>:ud       {I@4} // s0|s1|s2
(W)     mov (1|M0)               r3.0<1>:uq    r19.2<0;1,0>:uq                  {Compacted,I@4}
(W&f0.0) cmp (16|M0)  (eq)f0.0   null<1>:d     r10.0<0;1,0>:d    0:w               {I@4}
(W)     bfn.0xE0 (1|M0)          r4.0<1>:ud    r3.2<0;0>:ud      r3.0<0;0>:ud      r3.3<0>:ud       {I@2} // (s0|s1)&s2
        mov (16|M0)              r20.0<1>:d    r1.0<1;1,0>:uw
(W)     cmp (16|M0)   (eq)f0.1   null<1>:d     r4.0<0;1,0>:d     0:w               {I@2}
(W&f0.0) jmpi                                L3592
L664:
(W)     cmp (16|M0)   (lt)f3.1   null<1>:d     r5.2<0;1,0>:d     0:w
(W&f3.1) jmpi                                L728
L696:
(W)     mov (1|M0)               r19.3<1>:d    r5.2<0;1,0>:d
(W)     jmpi                                 L744
L728:
(W)     add (1|M0)               r19.3<1>:d    r5.2<0;1,0>:d     3:w
L744:
(W)     asr (1|M0)               r1.8<1>:d     r19.3<0;1,0>:d    2:w               {I@1}
(W&f0.1) sel (1|M0)              r19.6<1>:d    r1.8<0;1,0>:d     0:w               {I@1}
        cmp (16|M0)   (gt)f3.0   null<1>:d     r19.6<0;1,0>:d    r20.0<1;1,0>:d   {I@1}
(f3.0)  goto (16|M0)                         L832                  L832
L808:
        mov (16|M0)              r21.0<1>:f    0.0:f                               {Compacted}
        goto (16|M0)                         L832                  L1088
L832:
        join (16|M0)                         L1088
L848:
        mov (16|M0)              r2.0<4>:uw    r1.0<1;1,0>:uw
        mov (16|M0)              r21.0<1>:f    0.0:f                               {Compacted}
        mov (16|M0)              r22.0<1>:q    r2.0<4;1,0>:uw                   {I@1}
(W)     mov (1|M0)               r19.4<1>:q    r5.6<0;1,0>:ud
(W)     asr (1|M0)               r19.7<1>:d    r19.6<0;1,0>:d    31:w
L920:
        shl (16|M0)              r2.0<1>:q     r22.0<1;1,0>:q    4:w               {Compacted,I@3}
        add (16|M0)              r6.0<1>:q     r19.0<0;1,0>:q    r2.0<1;1,0>:q    {Compacted,I@1}
        send.ugm (16|M0)         r8       r6      null:0  0x0            0x04403580           {I@1,$3} // wr:2+0, rd:4; load.ugm.d32x4.a64
        add (16|M0)              r22.0<1>:q    r22.0<1;1,0>:q    r19.4<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f3.0   null<1>:d     r22.0<2;1,0>:ud   r19.6<0;1,0>:ud  {I@1}
(f3.0)  cmp (16|M0)   (eq)f3.0   null<1>:d     r22.1<2;1,0>:d    r19.7<0;1,0>:d
(~f3.0) cmp (16|M0)   (lt)f3.0   null<1>:d     r22.1<2;1,0>:d    r19.7<0;1,0>:d
        sync.nop                             null                             {Compacted,F@1}
        add (16|M0)              acc0.0<1>:f   r21.0<1;1,0>:f    r8.0<1;1,0>:f    {Compacted,$3.dst}
        add (16|M0)              acc0.0<1>:f   r9.0<1;1,0>:f     acc0.0<1;1,0>:f
        add (16|M0)              acc0.0<1>:f   r10.0<1;1,0>:f    acc0.0<1;1,0>:f
        add (16|M0)              r21.0<1>:f    r11.0<1;1,0>:f    acc0.0<1;1,0>:f
(f3.0)  goto.b (16|M0)                       L1088                  L920
L1088:
        join (16|M0)                         L1104
L1104:
(W)     shl (1|M0)               r1.8<1>:d     r19.6<0;1,0>:d    2:w
        add (16|M0)              r24.0<1>:d    r1.8<0;1,0>:d     r20.0<1;1,0>:d   {Compacted,I@1}
        cmp (16|M0)   (lt)f2.1   null<1>:d     r24.0<1;1,0>:d    r5.2<0;1,0>:d    {I@1}
(~f2.1) goto (16|M0)                         L1320                  L1320
L1160:
        mov (16|M0)              r2.0<2>:ud    r24.0<1;1,0>:ud                  {Compacted}
        mov (16|M0)              r26.0<1>:q    r2.0<2;1,0>:d                    {I@1}
(W)     mov (1|M0)               r19.5<1>:q    r5.6<0;1,0>:ud
L1200:
        shl (16|M0)              r2.0<1>:q     r26.0<1;1,0>:q    2:w               {Compacted,I@2}
        add (16|M0)              r6.0<1>:q     r19.0<0;1,0>:q    r2.0<1;1,0>:q    {Compacted,I@1}
        send.ugm (16|M0)         r8       r6      null:0  0x0            0x04100580           {A@1,$4} // wr:2+0, rd:1; load.ugm.d32.a64
        add (16|M0)              r26.0<1>:q    r26.0<1;1,0>:q    r19.5<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f2.1   null<1>:d     r26.0<2;1,0>:ud   r5.2<0;1,0>:ud   {I@1}
(f2.1)  cmp (16|M0)   (eq)f2.1   null<1>:d     r26.1<2;1,0>:d    r19.2<0;1,0>:d
(~f2.1) cmp (16|M0)   (lt)f2.1   null<1>:d     r26.1<2;1,0>:d    r19.2<0;1,0>:d
        sync.nop                             null                             {Compacted,F@1}
        add (16|M0)              r21.0<1>:f    r21.0<1;1,0>:f    r8.0<1;1,0>:f    {Compacted,$4.dst}
(f2.1)  goto.b (16|M0)                       L1320                  L1200
L1320:
        join (16|M0)                         L1336
L1336:
(W)     mov (16|M0)              r2.0<1>:f     0.0:f                               {Compacted}
        mov (16|M0)              r2.0<1>:f     r21.0<1;1,0>:f                   {Compacted,F@2}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,F@1}
(W)     mul (1|M0)               acc0.0<1>:d   r5.7<0;1,0>:d     r5.12<0;1,0>:uw
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@2}
(W)     macl (1|M0)              r2.0<1>:d     r5.7<0;1,0>:d     r5.6<0;1,0>:d    {F@1}
(W)     mov (4|M0)               r6.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted}
(W)     mul (1|M0)               acc0.0<1>:d   r2.0<0;1,0>:d     r5.16<0;1,0>:uw  {Compacted,I@2}
(W)     macl (1|M0)              r3.0<1>:d     r2.0<0;1,0>:d     r5.8<0;1,0>:d    {Compacted}
(W)     add (4|M0)               r7.0<1>:f     r4.0<1;1,0>:f     r6.0<1;1,0>:f    {Compacted,I@3}
(W)     add (1|M0)               r19.12<1>:d   r3.0<0;1,0>:d     15:w               {I@1}
(W)     mov (1|M0)               r8.8<2>:b     r0.8<0;1,0>:b
(W)     add (1|M0)               r1.8<1>:f     r7.0<0;1,0>:f     r7.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r7.1<0;1,0>:f     r7.3<0;1,0>:f
(W)     shr (1|M0)               r19.13<1>:d   r19.12<0;1,0>:ud  4:w               {I@2}
(W)     mov (1|M0)               r19.14<1>:d   r8.8<0;1,0>:ub                   {I@2}
(W)     add (1|M0)               r25.0<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {F@1}
(W)     add (1|M0)               r1.9<1>:d     r19.13<0;1,0>:d   -1:w               {A@1}
(W)     and (1|M0)    (eq)f2.0   r1.8<1>:d     r3.0<0;1,0>:d     15:w
(W)     cmp (1|M0)    (gt)f1.0   r4.0<1>:ud    r1.9<0;1,0>:ud    r19.14<0;1,0>:ud {I@2}
(W)     mov (8|M0)               r28.0<1>:w    0x76543210:v
(W)     mov (1|M0)               r8.0<2>:b     r0.0<0;1,0>:b
(W)     add (8|M0)               r28.8<1>:w    r28.0<1;1,0>:w    8:w               {I@2}
(W&~f2.0) sel (1|M0)             r5.4<1>:d     -r4.0<0;1,0>:d    1:w
        cmp (16|M0)   (eq)f1.0   null<2>:w     r28.0<1;1,0>:w    0:w               {I@2}
(W)     cmp (16|M0)   (ne)f2.0   null<1>:d     r5.4<0;1,0>:d     0:w               {I@2}
(W)     mov (1|M0)               r8.1<2>:b     r0.1<0;1,0>:b
(W)     mov (1|M0)               r8.2<2>:b     r0.2<0;1,0>:b
(W)     mov (1|M0)               r8.3<2>:b     r0.3<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r8.4<2>:b     r0.4<0;1,0>:b
(W)     mov (1|M0)               r8.5<2>:b     r0.5<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r8.6<2>:b     r0.6<0;1,0>:b
(W)     mov (1|M0)               r8.7<2>:b     r0.7<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r8.9<2>:b     r0.9<0;1,0>:b
(W)     mov (1|M0)               r8.10<2>:b    r0.10<0;1,0>:b
(W)     mov (1|M0)               r8.11<2>:b    r0.11<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.12<2>:b    r0.12<0;1,0>:b
(W)     mov (1|M0)               r8.13<2>:b    r0.13<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.14<2>:b    r0.14<0;1,0>:b
(W)     mov (1|M0)               r8.15<2>:b    r0.15<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.16<2>:b    r0.16<0;1,0>:b
(W)     mov (1|M0)               r8.17<2>:b    r0.17<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.18<2>:b    r0.18<0;1,0>:b
(W)     mov (1|M0)               r8.19<2>:b    r0.19<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.20<2>:b    r0.20<0;1,0>:b
(W)     mov (1|M0)               r8.21<2>:b    r0.21<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.22<2>:b    r0.22<0;1,0>:b
(W)     mov (1|M0)               r8.23<2>:b    r0.23<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.24<2>:b    r0.24<0;1,0>:b
(W)     mov (1|M0)               r8.25<2>:b    r0.25<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.26<2>:b    r0.26<0;1,0>:b
(W)     mov (1|M0)               r8.27<2>:b    r0.27<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.28<2>:b    r0.28<0;1,0>:b
(W)     mov (1|M0)               r8.29<2>:b    r0.29<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.30<2>:b    r0.30<0;1,0>:b
(W)     mov (1|M0)               r8.31<2>:b    r0.31<0;1,0>:b                   {I@1}
(W&~f2.0) sel (1|M0)             r19.15<1>:d   r1.8<0;1,0>:d     16:w
(~f1.0) goto (16|M0)                         L2224                  L2224
L2192:
(W)     shl (1|M0)               r2.0<1>:d     r19.14<0;1,0>:d   2:w
(W)     send.slm (1|M0)          null     r2      r25:1   0x0            0x02008504           {I@1,$5} // wr:1+1, rd:0; store.slm.d32x1t.a32
L2224:
        join (16|M0)                         L2240
L2240:
        sync.nop                             null                             {Compacted,$5.src}
(W)     send.slm (1|M0)          r2       r0      null:0  0x0            0x0210011F           {$6} // wr:1+0, rd:1; fence.slm.none.group
(W)     mov (1|M0)               r3.2<1>:f     0.0:f                               {Compacted}
(W)     mov (2|M0)               r3.10<1>:ub   r0.11<0;1,0>:ub                  {F@1}
(W)     mov (8|M0)               null<1>:ud    r2.0<1;1,0>:ud                   {Compacted,$6.dst}
(W)     send.gtwy (1|M0)         null     r3      null:0  0x0            0x02000004           {I@2,$7} // wr:1+0, rd:0; signal barrier
(W)     sync.bar                             0x0                                 {Compacted}
(W)     cmp (16|M0)   (gt)f1.1   null<1>:d     r19.12<0;1,0>:ud  0x10F:uw
        mov (16|M0)              r29.0<1>:d    r28.0<1;1,0>:uw
(W&~f1.1) jmpi                               L2920
L2368:
(W)     shl (1|M0)               r1.8<1>:d     r19.14<0;1,0>:d   4:w
(W)     shl (1|M0)               r32.0<1>:d    r19.14<0;1,0>:d   2:w
        add (16|M0)              r30.0<1>:d    r1.8<0;1,0>:d     r29.0<1;1,0>:d   {Compacted,I@2}
        shl (16|M0)              r31.0<1>:d    r30.0<1;1,0>:d    2:w               {Compacted,I@1}
L2416:
(W)     add (1|M0)               r1.8<1>:d     r19.13<0;1,0>:d   15:w
(W)     and (1|M0)               r2.0<1>:d     r1.8<0;1,0>:d     536870896:d               {I@1}
(W)     shr (1|M0)               r25.1<1>:d    r1.8<0;1,0>:ud    4:w
        cmp (16|M0)   (lt)f3.1   null<1>:d     r30.0<1;1,0>:ud   r2.0<0;1,0>:ud   {I@2}
(~f3.1) goto (16|M0)                         L2744                  L2744
L2496:
        cmp (16|M0)   (lt)f3.0   null<1>:d     r30.0<1;1,0>:ud   r19.13<0;1,0>:ud
(f3.0)  goto (16|M0)                         L2552                  L2552
L2528:
        mov (16|M0)              r33.0<1>:f    0.0:f                               {Compacted,$10.dst}
        goto (16|M0)                         L2552                  L2584
L2552:
        join (16|M0)                         L2584
L2568:
        send.slm (16|M0)         r33      r31     null:0  0x0            0x02100500           {F@1,$10} // wr:1+0, rd:1; load.slm.d32.a32
L2584:
        join (16|M0)                         L2744
L2600:
(W)     mov (16|M0)              r2.0<1>:ud    0x0:ud                              {Compacted}
        mov (16|M0)              r2.0<1>:ud    r33.0<1;1,0>:ud                  {Compacted,$10.dst}
        sync.nop                             null                             {Compacted,I@1}
        sync.nop                             null                             {Compacted,$9.src}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,$7.src}
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@1}
(W)     mov (4|M0)               r6.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted,F@1}
(W)     add (4|M0)               r7.0<1>:f     r4.0<1;1,0>:f     r6.0<1;1,0>:f    {Compacted,I@1}
(W)     add (1|M0)               r1.8<1>:f     r7.0<0;1,0>:f     r7.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r7.1<0;1,0>:f     r7.3<0;1,0>:f
        sync.nop                             null                             {Compacted,F@1}
(W)     add (1|M0)               r34.0<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {$8.src}
(~f1.0) goto (16|M0)                         L2744                  L2744
L2728:
(W)     send.slm (1|M0)          null     r32     r34:1   0x0            0x02008504           {F@1,$8} // wr:1+1, rd:0; store.slm.d32x1t.a32
L2744:
        join (16|M0)                         L2760
L2760:
(W)     send.slm (1|M0)          r2       r0      null:0  0x0            0x0210011F           {$10} // wr:1+0, rd:1; fence.slm.none.group
        sync.nop                             null                             {Compacted,$9.src}
(W)     mov (1|M0)               r3.2<1>:f     0.0:f                               {Compacted,$7.src}
(W)     mov (2|M0)               r3.10<1>:ub   r0.11<0;1,0>:ub                  {F@1}
(W)     mov (8|M0)               null<1>:ud    r2.0<1;1,0>:ud                   {Compacted,$10.dst}
(W)     send.gtwy (1|M0)         null     r3      null:0  0x0            0x02000004           {I@2,$9} // wr:1+0, rd:0; signal barrier
(W)     sync.bar                             0x0                                 {Compacted}
(W)     cmp (16|M0)   (gt)f2.1   null<1>:d     r19.13<0;1,0>:ud  0x100:uw
(W)     mov (1|M0)               r19.13<1>:d   r25.1<0;1,0>:d
(W&~f2.1) jmpi                               L2920
L2888:
(W)     mov (1|M0)               r19.13<1>:d   r25.1<0;1,0>:d
(W)     jmpi                                 L2416
L2920:
(W)     cmp (16|M0)   (gt)f1.1   null<1>:d     r19.13<0;1,0>:ud  r19.15<0;1,0>:ud {I@2}
(W&f1.1) jmpi                                L3184
L2952:
        cmp (16|M0)   (gt)f1.0   null<1>:d     r19.13<0;1,0>:ud  r29.0<1;1,0>:ud
(f1.0)  goto (16|M0)                         L3008                  L3008
L2984:
        mov (16|M0)              r35.0<1>:f    0.0:f                               {Compacted}
        goto (16|M0)                         L3008                  L3048
L3008:
        join (16|M0)                         L3048
L3024:
        shl (16|M0)              r2.0<1>:d     r29.0<1;1,0>:d    2:w               {Compacted}
        send.slm (16|M0)         r35      r2      null:0  0x0            0x02100500           {A@1,$11} // wr:1+0, rd:1; load.slm.d32.a32
L3048:
        join (16|M0)                         L3064
L3064:
(W)     mov (16|M0)              r2.0<1>:ud    0x0:ud                              {Compacted,$11.src}
        mov (16|M0)              r2.0<1>:ud    r35.0<1;1,0>:ud                  {Compacted,$11.dst}
        sync.nop                             null                             {Compacted,I@1}
        sync.nop                             null                             {Compacted,$9.src}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,$7.src}
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@1}
(W)     mov (4|M0)               r6.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted,F@1}
(W)     add (4|M0)               r7.0<1>:f     r4.0<1;1,0>:f     r6.0<1;1,0>:f    {Compacted,I@1}
(W)     add (1|M0)               r1.8<1>:f     r7.0<0;1,0>:f     r7.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r7.1<0;1,0>:f     r7.3<0;1,0>:f
(W)     add (1|M0)               r25.2<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {F@1}
(W)     jmpi                                 L3352
L3184:
(W)     mov (1|M0)               r2.0<1>:ud    0x0:uw
(W)     mov (1|M0)               r25.3<1>:d    1:w                               {Compacted}
(W)     send.slm (1|M0)          r36      r2      null:0  0x0            0x02108500           {I@2,$12} // wr:1+0, rd:1; load.slm.d32x1t.a32
L3224:
        sync.nop                             null                             {Compacted,I@1}
(W)     shl (1|M0)               r2.0<1>:d     r25.3<0;1,0>:d    2:w               {Compacted,$12.src}
(W)     add (1|M0)               r25.3<1>:d    r25.3<0;1,0>:d    1:w
        sync.allrd                           ($7,$9)                 {Compacted}
(W)     send.slm (1|M0)          r3       r2      null:0  0x0            0x02108500           {I@2,$13} // wr:1+0, rd:1; load.slm.d32x1t.a32
(W)     cmp (16|M0)   (lt)f1.0   null<1>:d     r25.3<0;1,0>:ud   r19.13<0;1,0>:ud {I@1}
        sync.nop                             null                             {Compacted,$13.dst}
(W)     add (1|M0)               r36.0<1>:f    r36.0<0;1,0>:f    r3.0<0;1,0>:f    {Compacted,$12.dst}
(W)     mov (1|M0)               r25.4<1>:f    r36.0<0;1,0>:f                   {Compacted,F@1}
(W&f1.0) jmpi                                L3224
L3336:
(W)     mov (1|M0)               r25.2<1>:f    r25.4<0;1,0>:f                   {F@1}
L3352:
(W)     send.slm (1|M0)          r2       r0      null:0  0x0            0x0210011F           {$10} // wr:1+0, rd:1; fence.slm.none.group
(W)     mov (1|M0)               r3.2<1>:ud    0x0:ud                              {Compacted}
(W)     mov (2|M0)               r3.10<1>:ub   r0.11<0;1,0>:ub                  {I@1}
(W)     mov (8|M0)               null<1>:ud    r2.0<1;1,0>:ud                   {Compacted,$10.dst}
(W)     send.gtwy (1|M0)         null     r3      null:0  0x0            0x02000004           {I@2,$14} // wr:1+0, rd:0; signal barrier
(W)     sync.bar                             0x0                                 {Compacted}
(W)     mov (1|M0)               r1.8<1>:f     r5.2<0;1,0>:d
(W)     mov (1|M0)               r1.9<1>:f     0x4F800000:f
(W)     and (1|M0)    (eq)f1.0   r1.10<1>:d    r1.8<0;1,0>:d     2139095040:d               {F@2}
(W)     cmp (1|M0)    (ge)f3.1   null<1>:ud    r1.10<0;1,0>:ud   0x64000000:ud              {I@1}
(W&f1.0) sel (1|M0)              r4.0<1>:f     r1.9<0;1,0>:f     1.0:f               {F@1}
(W&~f3.1) sel (1|M0)             r5.4<1>:f     r4.0<0;1,0>:f     0x2F800000:f               {F@1}
(W)     mul (1|M0)               r5.5<1>:f     r1.8<0;1,0>:f     r5.4<0;1,0>:f    {F@1}
(W)     math.inv (1|M0)          r2.0<1>:f     r5.5<0;1,0>:f                    {F@1}
(W)     mul (1|M0)               r6.0<1>:f     r2.0<0;1,0>:f     r25.2<0;1,0>:f   {Compacted,M@1}
(W)     mul (1|M0)               r25.5<1>:f    r6.0<0;1,0>:f     r5.4<0;1,0>:f    {F@1}
(W)     jmpi                                 L3720
L3592:
(W)     cmp (16|M0)   (lt)f3.1   null<1>:d     r5.2<0;1,0>:d     0:w
(W&f3.1) jmpi                                L3656
L3624:
(W)     mov (1|M0)               r19.3<1>:d    r5.2<0;1,0>:d
(W)     jmpi                                 L3672
L3656:
(W)     add (1|M0)               r19.3<1>:d    r5.2<0;1,0>:d     3:w
L3672:
(W)     asr (1|M0)               r1.8<1>:d     r19.3<0;1,0>:d    2:w               {I@1}
(W)     mov (1|M0)               r25.5<1>:f    0.0:f
(W&f0.1) sel (1|M0)              r19.6<1>:d    r1.8<0;1,0>:d     0:w               {I@1}
L3720:
        cmp (16|M0)   (gt)f1.1   null<1>:d     r19.6<0;1,0>:d    r20.0<1;1,0>:d   {I@1}
(f1.1)  goto (16|M0)                         L3776                  L3776
L3752:
        mov (16|M0)              r37.0<1>:f    0.0:f                               {Compacted}
        goto (16|M0)                         L3776                  L4072
L3776:
        join (16|M0)                         L4072
L3792:
        mov (16|M0)              r2.0<4>:uw    r1.0<1;1,0>:uw                   {$14.src}
        mov (16|M0)              r37.0<1>:f    0.0:f                               {Compacted}
        mov (16|M0)              r38.0<1>:q    r2.0<4;1,0>:uw                   {I@1}
(W)     mov (1|M0)               r25.3<1>:q    r5.6<0;1,0>:ud
(W)     asr (1|M0)               r25.8<1>:d    r19.6<0;1,0>:d    31:w
L3864:
        shl (16|M0)              r2.0<1>:q     r38.0<1;1,0>:q    4:w               {Compacted,I@3}
        add (16|M0)              r6.0<1>:q     r19.0<0;1,0>:q    r2.0<1;1,0>:q    {Compacted,A@1}
        send.ugm (16|M0)         r8       r6      null:0  0x0            0x04403580           {I@1,$15} // wr:2+0, rd:4; load.ugm.d32x4.a64
        add (16|M0)              r38.0<1>:q    r38.0<1;1,0>:q    r25.3<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f2.0   null<1>:d     r38.0<2;1,0>:ud   r19.6<0;1,0>:ud  {I@1}
(f2.0)  cmp (16|M0)   (eq)f2.0   null<1>:d     r38.1<2;1,0>:d    r25.8<0;1,0>:d
(~f2.0) cmp (16|M0)   (lt)f2.0   null<1>:d     r38.1<2;1,0>:d    r25.8<0;1,0>:d
        sync.nop                             null                             {Compacted,F@3}
        add (16|M0)              r12.0<1>:f    r8.0<1;1,0>:f     -r25.5<0;1,0>:f  {$15.dst}
        add (16|M0)              r14.0<1>:f    r9.0<1;1,0>:f     -r25.5<0;1,0>:f
        mad (16|M0)              acc0.0<1>:f   r37.0<1;0>:f      r12.0<1;0>:f      r12.0<1>:f       {Compacted,F@2}
        add (16|M0)              r16.0<1>:f    r10.0<1;1,0>:f    -r25.5<0;1,0>:f
        mad (16|M0)              acc0.0<1>:f   acc0.0<1;0>:f     r14.0<1;0>:f      r14.0<1>:f       {Compacted,F@3}
        add (16|M0)              r18.0<1>:f    r11.0<1;1,0>:f    -r25.5<0;1,0>:f
        mad (16|M0)              acc0.0<1>:f   acc0.0<1;0>:f     r16.0<1;0>:f      r16.0<1>:f       {Compacted,F@3}
        mad (16|M0)              r37.0<1>:f    acc0.0<1;0>:f     r18.0<1;0>:f      r18.0<1>:f       {Compacted,F@2}
(f2.0)  goto.b (16|M0)                       L4072                  L3864
L4072:
        join (16|M0)                         L4088
L4088:
(W)     shl (1|M0)               r1.8<1>:d     r19.6<0;1,0>:d    2:w
        add (16|M0)              r40.0<1>:d    r1.8<0;1,0>:d     r20.0<1;1,0>:d   {Compacted,I@1}
        cmp (16|M0)   (lt)f1.0   null<1>:d     r40.0<1;1,0>:d    r5.2<0;1,0>:d    {I@1}
(~f1.0) goto (16|M0)                         L4312                  L4312
L4144:
        mov (16|M0)              r2.0<2>:ud    r40.0<1;1,0>:ud                  {Compacted,$14.src}
        mov (16|M0)              r42.0<1>:q    r2.0<2;1,0>:d                    {I@1}
(W)     mov (1|M0)               r25.5<1>:q    r5.6<0;1,0>:ud
L4184:
        shl (16|M0)              r2.0<1>:q     r42.0<1;1,0>:q    2:w               {Compacted,I@2}
        add (16|M0)              r6.0<1>:q     r19.0<0;1,0>:q    r2.0<1;1,0>:q    {Compacted,I@1}
        send.ugm (16|M0)         r8       r6      null:0  0x0            0x04100580           {I@1,$0} // wr:2+0, rd:1; load.ugm.d32.a64
        add (16|M0)              r42.0<1>:q    r42.0<1;1,0>:q    r25.5<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f3.1   null<1>:d     r42.0<2;1,0>:ud   r5.2<0;1,0>:ud   {I@1}
(f3.1)  cmp (16|M0)   (eq)f3.1   null<1>:d     r42.1<2;1,0>:d    r19.2<0;1,0>:d
(~f3.1) cmp (16|M0)   (lt)f3.1   null<1>:d     r42.1<2;1,0>:d    r19.2<0;1,0>:d
        add (16|M0)              r8.0<1>:f     r8.0<1;1,0>:f     -r25.5<0;1,0>:f  {$0.dst}
        mad (16|M0)              r37.0<1>:f    r37.0<1;0>:f      r8.0<1;0>:f       r8.0<1>:f        {Compacted,F@1}
(f3.1)  goto.b (16|M0)                       L4312                  L4184
L4312:
        join (16|M0)                         L4328
L4328:
(W)     mov (16|M0)              r2.0<1>:f     0.0:f                               {Compacted}
        mov (16|M0)              r2.0<1>:f     r37.0<1;1,0>:f                   {Compacted,F@2}
        sync.nop                             null                             {Compacted,F@1}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,$14.src}
(W)     mul (1|M0)               acc0.0<1>:d   r5.7<0;1,0>:d     r5.12<0;1,0>:uw
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@2}
(W)     macl (1|M0)              r2.0<1>:d     r5.7<0;1,0>:d     r5.6<0;1,0>:d    {F@1}
(W)     mov (4|M0)               r6.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted}
(W)     mul (1|M0)               acc0.0<1>:d   r2.0<0;1,0>:d     r5.16<0;1,0>:uw  {Compacted,I@2}
(W)     macl (1|M0)              r3.0<1>:d     r2.0<0;1,0>:d     r5.8<0;1,0>:d    {Compacted}
(W)     add (4|M0)               r7.0<1>:f     r4.0<1;1,0>:f     r6.0<1;1,0>:f    {Compacted,I@3}
(W)     add (1|M0)               r25.9<1>:d    r3.0<0;1,0>:d     15:w               {I@1}
(W)     mov (1|M0)               r8.8<2>:b     r0.8<0;1,0>:b
(W)     add (1|M0)               r1.8<1>:f     r7.0<0;1,0>:f     r7.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r7.1<0;1,0>:f     r7.3<0;1,0>:f
(W)     shr (1|M0)               r25.12<1>:d   r25.9<0;1,0>:ud   4:w               {I@2}
(W)     mov (1|M0)               r25.13<1>:d   r8.8<0;1,0>:ub                   {I@2}
(W)     add (1|M0)               r41.0<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {F@1}
(W)     add (1|M0)               r1.9<1>:d     r25.12<0;1,0>:d   -1:w               {A@1}
(W)     and (1|M0)    (eq)f0.1   r1.8<1>:d     r3.0<0;1,0>:d     15:w
(W)     cmp (1|M0)    (gt)f2.0   r4.0<1>:ud    r1.9<0;1,0>:ud    r25.13<0;1,0>:ud {I@2}
(W)     mov (8|M0)               r44.0<1>:w    0x76543210:v
(W)     mov (1|M0)               r8.0<2>:b     r0.0<0;1,0>:b
(W)     add (8|M0)               r44.8<1>:w    r44.0<1;1,0>:w    8:w               {I@2}
(W&~f0.1) sel (1|M0)             r5.4<1>:d     -r4.0<0;1,0>:d    1:w
(W)     mov (1|M0)               r8.1<2>:b     r0.1<0;1,0>:b                    {I@3}
(W)     cmp (16|M0)   (ne)f3.0   null<1>:d     r5.4<0;1,0>:d     0:w               {I@2}
(W)     mov (1|M0)               r8.2<2>:b     r0.2<0;1,0>:b
(W)     mov (1|M0)               r8.3<2>:b     r0.3<0;1,0>:b                    {I@1}
(W&~f3.0) sel (1|M0)             r25.14<1>:d   r1.8<0;1,0>:d     16:w
        cmp (16|M0)   (eq)f3.0   null<2>:w     r44.0<1;1,0>:w    0:w
(W)     mov (1|M0)               r8.4<2>:b     r0.4<0;1,0>:b
(W)     mov (1|M0)               r8.5<2>:b     r0.5<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r8.6<2>:b     r0.6<0;1,0>:b
(W)     mov (1|M0)               r8.7<2>:b     r0.7<0;1,0>:b                    {I@1}
(W)     mov (1|M0)               r8.9<2>:b     r0.9<0;1,0>:b
(W)     mov (1|M0)               r8.10<2>:b    r0.10<0;1,0>:b
(W)     mov (1|M0)               r8.11<2>:b    r0.11<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.12<2>:b    r0.12<0;1,0>:b
(W)     mov (1|M0)               r8.13<2>:b    r0.13<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.14<2>:b    r0.14<0;1,0>:b
(W)     mov (1|M0)               r8.15<2>:b    r0.15<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.16<2>:b    r0.16<0;1,0>:b
(W)     mov (1|M0)               r8.17<2>:b    r0.17<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.18<2>:b    r0.18<0;1,0>:b
(W)     mov (1|M0)               r8.19<2>:b    r0.19<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.20<2>:b    r0.20<0;1,0>:b
(W)     mov (1|M0)               r8.21<2>:b    r0.21<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.22<2>:b    r0.22<0;1,0>:b
(W)     mov (1|M0)               r8.23<2>:b    r0.23<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.24<2>:b    r0.24<0;1,0>:b
(W)     mov (1|M0)               r8.25<2>:b    r0.25<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.26<2>:b    r0.26<0;1,0>:b
(W)     mov (1|M0)               r8.27<2>:b    r0.27<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.28<2>:b    r0.28<0;1,0>:b
(W)     mov (1|M0)               r8.29<2>:b    r0.29<0;1,0>:b                   {I@1}
(W)     mov (1|M0)               r8.30<2>:b    r0.30<0;1,0>:b
(W)     mov (1|M0)               r8.31<2>:b    r0.31<0;1,0>:b                   {I@1}
(~f3.0) goto (16|M0)                         L5224                  L5224
L5192:
(W)     shl (1|M0)               r2.0<1>:d     r25.13<0;1,0>:d   2:w
(W)     send.slm (1|M0)          null     r2      r41:1   0x0            0x02008504           {I@1,$1} // wr:1+1, rd:0; store.slm.d32x1t.a32
L5224:
        join (16|M0)                         L5240
L5240:
        sync.nop                             null                             {Compacted,$1.src}
(W)     send.slm (1|M0)          r2       r0      null:0  0x0            0x0210011F           {$10} // wr:1+0, rd:1; fence.slm.none.group
(W)     mov (1|M0)               r3.2<1>:f     0.0:f                               {Compacted}
(W)     mov (2|M0)               r3.10<1>:ub   r0.11<0;1,0>:ub                  {F@1}
(W)     mov (8|M0)               null<1>:ud    r2.0<1;1,0>:ud                   {Compacted,$10.dst}
(W)     send.gtwy (1|M0)         null     r3      null:0  0x0            0x02000004           {I@2,$2} // wr:1+0, rd:0; signal barrier
(W)     sync.bar                             0x0                                 {Compacted}
(W)     cmp (16|M0)   (gt)f3.1   null<1>:d     r25.9<0;1,0>:ud   0x10F:uw
        mov (16|M0)              r45.0<1>:d    r44.0<1;1,0>:uw
(W&~f3.1) jmpi                               L5928
L5368:
(W)     shl (1|M0)               r1.8<1>:d     r25.13<0;1,0>:d   4:w
(W)     shl (1|M0)               r48.0<1>:d    r25.13<0;1,0>:d   2:w
        add (16|M0)              r46.0<1>:d    r1.8<0;1,0>:d     r45.0<1;1,0>:d   {Compacted,I@2}
        shl (16|M0)              r47.0<1>:d    r46.0<1;1,0>:d    2:w               {Compacted,I@1}
L5416:
(W)     add (1|M0)               r1.8<1>:d     r25.12<0;1,0>:d   15:w
(W)     and (1|M0)               r2.0<1>:d     r1.8<0;1,0>:d     536870896:d               {I@1}
(W)     shr (1|M0)               r25.15<1>:d   r1.8<0;1,0>:ud    4:w
        cmp (16|M0)   (lt)f2.1   null<1>:d     r46.0<1;1,0>:ud   r2.0<0;1,0>:ud   {I@2}
(~f2.1) goto (16|M0)                         L5744                  L5744
L5496:
        cmp (16|M0)   (lt)f2.0   null<1>:d     r46.0<1;1,0>:ud   r25.12<0;1,0>:ud
(f2.0)  goto (16|M0)                         L5552                  L5552
L5528:
        mov (16|M0)              r49.0<1>:f    0.0:f                               {Compacted,$3.dst}
        goto (16|M0)                         L5552                  L5584
L5552:
        join (16|M0)                         L5584
L5568:
        send.slm (16|M0)         r49      r47     null:0  0x0            0x02100500           {F@1,$3} // wr:1+0, rd:1; load.slm.d32.a32
L5584:
        join (16|M0)                         L5744
L5600:
(W)     mov (16|M0)              r2.0<1>:ud    0x0:ud                              {Compacted}
        mov (16|M0)              r2.0<1>:ud    r49.0<1;1,0>:ud                  {Compacted,$3.dst}
        sync.nop                             null                             {Compacted,I@1}
        sync.nop                             null                             {Compacted,$5.src}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,$2.src}
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@1}
(W)     mov (4|M0)               r6.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted,F@1}
(W)     add (4|M0)               r7.0<1>:f     r4.0<1;1,0>:f     r6.0<1;1,0>:f    {Compacted,I@1}
(W)     add (1|M0)               r1.8<1>:f     r7.0<0;1,0>:f     r7.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r7.1<0;1,0>:f     r7.3<0;1,0>:f
        sync.nop                             null                             {Compacted,F@1}
(W)     add (1|M0)               r50.0<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {$4.src}
(~f3.0) goto (16|M0)                         L5744                  L5744
L5728:
(W)     send.slm (1|M0)          null     r48     r50:1   0x0            0x02008504           {F@1,$4} // wr:1+1, rd:0; store.slm.d32x1t.a32
L5744:
        join (16|M0)                         L5760
L5760:
        sync.nop                             null                             {Compacted,$10.dst}
(W)     send.slm (1|M0)          r2       r0      null:0  0x0            0x0210011F           {$3} // wr:1+0, rd:1; fence.slm.none.group
        sync.nop                             null                             {Compacted,$5.src}
(W)     mov (1|M0)               r3.2<1>:f     0.0:f                               {Compacted,$2.src}
(W)     mov (2|M0)               r3.10<1>:ub   r0.11<0;1,0>:ub                  {F@1}
(W)     mov (8|M0)               null<1>:ud    r2.0<1;1,0>:ud                   {Compacted,$3.dst}
(W)     send.gtwy (1|M0)         null     r3      null:0  0x0            0x02000004           {I@2,$5} // wr:1+0, rd:0; signal barrier
(W)     sync.bar                             0x0                                 {Compacted}
(W)     cmp (16|M0)   (gt)f0.1   null<1>:d     r25.12<0;1,0>:ud  0x100:uw
(W)     mov (1|M0)               r25.12<1>:d   r25.15<0;1,0>:d
(W&~f0.1) jmpi                               L5928
L5896:
(W)     mov (1|M0)               r25.12<1>:d   r25.15<0;1,0>:d
(W)     jmpi                                 L5416
L5928:
(W)     cmp (16|M0)   (gt)f2.1   null<1>:d     r25.12<0;1,0>:ud  r25.14<0;1,0>:ud {I@2}
(W&f2.1) jmpi                                L6192
L5960:
        cmp (16|M0)   (gt)f2.0   null<1>:d     r25.12<0;1,0>:ud  r45.0<1;1,0>:ud
(f2.0)  goto (16|M0)                         L6016                  L6016
L5992:
        mov (16|M0)              r51.0<1>:f    0.0:f                               {Compacted}
        goto (16|M0)                         L6016                  L6056
L6016:
        join (16|M0)                         L6056
L6032:
        shl (16|M0)              r2.0<1>:d     r45.0<1;1,0>:d    2:w               {Compacted}
        send.slm (16|M0)         r51      r2      null:0  0x0            0x02100500           {A@1,$6} // wr:1+0, rd:1; load.slm.d32.a32
L6056:
        join (16|M0)                         L6072
L6072:
(W)     mov (16|M0)              r2.0<1>:ud    0x0:ud                              {Compacted,$6.src}
        mov (16|M0)              r2.0<1>:ud    r51.0<1;1,0>:ud                  {Compacted,$6.dst}
        sync.nop                             null                             {Compacted,I@1}
        sync.nop                             null                             {Compacted,$5.src}
(W)     mov (8|M0)               r3.0<1>:ud    r2.8<1;1,0>:ud                   {Compacted,$2.src}
(W)     add (8|M0)               r4.0<1>:f     r2.0<1;1,0>:f     r3.0<1;1,0>:f    {Compacted,I@1}
(W)     mov (4|M0)               r6.0<1>:ud    r4.4<1;1,0>:ud                   {Compacted,F@1}
(W)     add (4|M0)               r7.0<1>:f     r4.0<1;1,0>:f     r6.0<1;1,0>:f    {Compacted,I@1}
(W)     add (1|M0)               r1.8<1>:f     r7.0<0;1,0>:f     r7.2<0;1,0>:f    {Compacted,F@1}
(W)     add (1|M0)               r1.9<1>:f     r7.1<0;1,0>:f     r7.3<0;1,0>:f
(W)     add (1|M0)               r28.8<1>:f    r1.8<0;1,0>:f     r1.9<0;1,0>:f    {F@1}
(W)     jmpi                                 L6384
L6192:
(W)     mov (1|M0)               r2.0<1>:ud    0x0:uw
(W)     mov (1|M0)               r28.9<1>:d    1:w
(W)     send.slm (1|M0)          r52      r2      null:0  0x0            0x02108500           {I@2,$7} // wr:1+0, rd:1; load.slm.d32x1t.a32
L6240:
        sync.nop                             null                             {Compacted,I@1}
(W)     shl (1|M0)               r2.0<1>:d     r28.9<0;1,0>:d    2:w               {$7.src}
(W)     add (1|M0)               r28.9<1>:d    r28.9<0;1,0>:d    1:w
        sync.allrd                           ($2,$5)                 {Compacted}
(W)     send.slm (1|M0)          r3       r2      null:0  0x0            0x02108500           {I@2,$9} // wr:1+0, rd:1; load.slm.d32x1t.a32
(W)     cmp (16|M0)   (lt)f2.0   null<1>:d     r28.9<0;1,0>:ud   r25.12<0;1,0>:ud {I@1}
        sync.nop                             null                             {Compacted,$9.dst}
(W)     add (1|M0)               r52.0<1>:f    r52.0<0;1,0>:f    r3.0<0;1,0>:f    {Compacted,$7.dst}
(W)     mov (1|M0)               r28.10<1>:f   r52.0<0;1,0>:f                   {F@1}
(W&f2.0) jmpi                                L6240
L6368:
(W)     mov (1|M0)               r28.8<1>:f    r28.10<0;1,0>:f                  {F@1}
L6384:
        sync.nop                             null                             {Compacted,$10.dst}
(W)     send.slm (1|M0)          r2       r0      null:0  0x0            0x0210011F           {$3} // wr:1+0, rd:1; fence.slm.none.group
(W)     mov (1|M0)               r3.2<1>:ud    0x0:ud                              {Compacted}
(W)     mov (2|M0)               r3.10<1>:ub   r0.11<0;1,0>:ub                  {I@1}
(W)     mov (8|M0)               null<1>:ud    r2.0<1;1,0>:ud                   {Compacted,$3.dst}
(W)     send.gtwy (1|M0)         null     r3      null:0  0x0            0x02000004           {I@2,$11} // wr:1+0, rd:0; signal barrier
(W)     sync.bar                             0x0                                 {Compacted}
(W)     mov (1|M0)               r1.8<1>:f     r5.2<0;1,0>:d
(W)     mov (1|M0)               r1.9<1>:ud    0x4F800000:ud
(W)     and (1|M0)    (eq)f3.0   r1.10<1>:d    r1.8<0;1,0>:d     2139095040:d               {F@1}
(W)     cmp (1|M0)    (ge)f2.1   null<1>:ud    r1.10<0;1,0>:ud   0x64000000:ud              {I@1}
(W&f3.0) sel (1|M0)              r4.0<1>:f     r1.9<0;1,0>:f     1.0:f
(W&~f2.1) sel (1|M0)             r5.4<1>:f     r4.0<0;1,0>:f     0x2F800000:f               {F@1}
(W)     mul (1|M0)               r5.5<1>:f     r1.8<0;1,0>:f     r5.4<0;1,0>:f    {F@1}
(W)     math.inv (1|M0)          r2.0<1>:f     r5.5<0;1,0>:f                    {F@1}
(W)     mul (1|M0)               r6.0<1>:f     r2.0<0;1,0>:f     r28.8<0;1,0>:f   {Compacted,M@1}
(W)     mul (1|M0)               r7.0<1>:f     r6.0<0;1,0>:f     r5.4<0;1,0>:f    {Compacted,F@1}
        sync.nop                             null                             {Compacted,F@1}
(W)     add (1|M0)               r3.0<1>:f     r7.0<0;1,0>:f     r5.3<0;1,0>:f    {Compacted,$11.src}
(W)     math.rsqt (1|M0)         r28.11<1>:f   r3.0<0;1,0>:f                    {F@1}
(~f1.1) goto (16|M0)                         L7184                  L7184
L6656:
        mov (16|M0)              r2.0<4>:uw    r1.0<1;1,0>:uw                   {M@1}
        mov (16|M0)              r54.0<1>:q    r2.0<4;1,0>:uw                   {I@1}
(W)     mov (1|M0)               r28.6<1>:q    r5.6<0;1,0>:ud
(W)     asr (1|M0)               r28.14<1>:d   r19.6<0;1,0>:d    31:w
L6720:
        shl (16|M0)              r56.0<1>:q    r54.0<1;1,0>:q    4:w               {Compacted,I@3}
        add (16|M0)              r2.0<1>:q     r19.0<0;1,0>:q    r56.0<1;1,0>:q   {Compacted,I@1}
        add (16|M0)              r6.0<1>:q     r56.0<1;1,0>:q    r4.5<0;1,0>:q    {Compacted,$12.src}
        send.ugm (16|M0)         r58      r2      null:0  0x0            0x04403580           {I@2,$13} // wr:2+0, rd:4; load.ugm.d32x4.a64
        send.ugm (16|M0)         r62      r6      null:0  0x0            0x04403580           {I@1,$14} // wr:2+0, rd:4; load.ugm.d32x4.a64
(W&~f0.0) jmpi                               L6840
L6792:
        mov (16|M0)              r53.0<1>:ud   0x0:ud                              {Compacted}
        mov (16|M0)              r66.0<1>:ud   0x0:ud                              {Compacted}
        mov (16|M0)              r67.0<1>:f    0.0:f                               {Compacted}
        mov (16|M0)              r68.0<1>:f    0.0:f                               {Compacted}
(W)     jmpi                                 L6896
L6840:
        add (16|M0)              r2.0<1>:q     r56.0<1;1,0>:q    r4.6<0;1,0>:q    {Compacted,$13.src}
        send.ugm (16|M0)         r6       r2      null:0  0x0            0x04403580           {I@1,$15} // wr:2+0, rd:4; load.ugm.d32x4.a64
        mov (16|M0)              r53.0<1>:ud   r6.0<1;1,0>:ud                   {Compacted,$15.dst}
        mov (16|M0)              r66.0<1>:ud   r7.0<1;1,0>:ud                   {Compacted}
        mov (16|M0)              r67.0<1>:f    r8.0<1;1,0>:f                    {Compacted}
        mov (16|M0)              r68.0<1>:f    r9.0<1;1,0>:f                    {Compacted}
L6896:
        add (16|M0)              r54.0<1>:q    r54.0<1;1,0>:q    r28.6<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f1.1   null<1>:d     r54.0<2;1,0>:ud   r19.6<0;1,0>:ud  {I@1}
        add (16|M0)              acc0.0<1>:f   r58.0<1;1,0>:f    -r25.5<0;1,0>:f  {$13.dst}
(f1.1)  cmp (16|M0)   (eq)f1.1   null<1>:d     r54.1<2;1,0>:d    r28.14<0;1,0>:d
        add (16|M0)              acc1.0<1>:f   r59.0<1;1,0>:f    -r25.5<0;1,0>:f
        add (16|M0)              acc2.0<1>:f   r60.0<1;1,0>:f    -r25.5<0;1,0>:f
        add (16|M0)              acc3.0<1>:f   r61.0<1;1,0>:f    -r25.5<0;1,0>:f
        mul (16|M0)              acc0.0<1>:f   r28.11<0;1,0>:f   acc0.0<1;1,0>:f
        mul (16|M0)              acc1.0<1>:f   r28.11<0;1,0>:f   acc1.0<1;1,0>:f
(~f1.1) cmp (16|M0)   (lt)f1.1   null<1>:d     r54.1<2;1,0>:d    r28.14<0;1,0>:d
        mul (16|M0)              acc2.0<1>:f   r28.11<0;1,0>:f   acc2.0<1;1,0>:f
        mul (16|M0)              acc3.0<1>:f   r28.11<0;1,0>:f   acc3.0<1;1,0>:f
        add (16|M0)              r12.0<1>:q    r19.2<0;1,0>:q    r56.0<1;1,0>:q   {Compacted}
        mad (16|M0)              r6.0<1>:f     r53.0<1;0>:f      acc0.0<1;0>:f     r62.0<1>:f       {$14.dst}
        mad (16|M0)              r7.0<1>:f     r66.0<1;0>:f      acc1.0<1;0>:f     r63.0<1>:f
        mad (16|M0)              r8.0<1>:f     r67.0<1;0>:f      acc2.0<1;0>:f     r64.0<1>:f
        mad (16|M0)              r9.0<1>:f     r68.0<1;0>:f      acc3.0<1;0>:f     r65.0<1>:f
        send.ugm (16|M0)         null     r12     r6:4    0x0            0x04003584           {A@1,$12} // wr:2+4, rd:0; store.ugm.d32x4.a64
(f1.1)  goto.b (16|M0)                       L7184                  L6720
L7184:
        join (16|M0)                         L7200
L7200:
(~f1.0) goto (16|M0)                         L7536                  L7536
L7216:
        mov (16|M0)              r2.0<2>:ud    r40.0<1;1,0>:ud                  {Compacted}
        mov (16|M0)              r70.0<1>:q    r2.0<2;1,0>:d                    {I@1}
(W)     mov (1|M0)               r32.1<1>:q    r5.6<0;1,0>:ud                   {$8.src}
L7256:
        shl (16|M0)              r72.0<1>:q    r70.0<1;1,0>:q    2:w               {Compacted,I@2}
        sync.nop                             null                             {Compacted,I@1}
        add (16|M0)              r2.0<1>:q     r19.0<0;1,0>:q    r72.0<1;1,0>:q   {Compacted,$0.src}
        add (16|M0)              r6.0<1>:q     r72.0<1;1,0>:q    r4.5<0;1,0>:q    {Compacted,$12.src}
        send.ugm (16|M0)         r69      r2      null:0  0x0            0x04100580           {I@2,$1} // wr:2+0, rd:1; load.ugm.d32.a64
        send.ugm (16|M0)         r74      r6      null:0  0x0            0x04100580           {I@1,$2} // wr:2+0, rd:1; load.ugm.d32.a64
(W&~f0.0) jmpi                               L7360
L7336:
        mov (16|M0)              r75.0<1>:f    0.0:f                               {Compacted}
(W)     jmpi                                 L7384
L7360:
        add (16|M0)              r2.0<1>:q     r72.0<1;1,0>:q    r4.6<0;1,0>:q    {Compacted,$1.src}
        send.ugm (16|M0)         r75      r2      null:0  0x0            0x04100580           {A@1,$5} // wr:2+0, rd:1; load.ugm.d32.a64
L7384:
        add (16|M0)              r70.0<1>:q    r70.0<1;1,0>:q    r32.1<0;1,0>:q   {Compacted}
        cmp (16|M0)   (lt)f0.1   null<1>:d     r70.0<2;1,0>:ud   r5.2<0;1,0>:ud   {I@1}
        add (16|M0)              acc0.0<1>:f   r69.0<1;1,0>:f    -r25.5<0;1,0>:f  {$1.dst}
(f0.1)  cmp (16|M0)   (eq)f0.1   null<1>:d     r70.1<2;1,0>:d    r19.2<0;1,0>:d
        mul (16|M0)              acc0.0<1>:f   r28.11<0;1,0>:f   acc0.0<1;1,0>:f
(~f0.1) cmp (16|M0)   (lt)f0.1   null<1>:d     r70.1<2;1,0>:d    r19.2<0;1,0>:d
        add (16|M0)              r6.0<1>:q     r19.2<0;1,0>:q    r72.0<1;1,0>:q   {Compacted,$2.src}
        sync.nop                             null                             {Compacted,$5.dst}
        mad (16|M0)              r3.0<1>:f     r75.0<1;0>:f      acc0.0<1;0>:f     r74.0<1>:f       {$2.dst}
        send.ugm (16|M0)         null     r6      r3:1    0x0            0x04000584           {A@1,$0} // wr:2+1, rd:0; store.ugm.d32.a64
(f0.1)  goto.b (16|M0)                       L7536                  L7256
L7536:
        join (16|M0)                         L7552
L7552:
(W)     mov (16|M0)              r127.0<1>:f   r0.0<1;1,0>:f                    {Compacted}
(W)     send.gtwy (8|M0)         null     r127    null:0  0x0            0x02000010           {EOT,F@1} // wr:1+0, rd:0; end of thread
L7576:
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
