// attention, beams, split, bf16, bmg: Debian's intel-ocloc 26.27.39122.14-1, SPIR-V by triton-xpu 3.3.0b1
L0:
(W)  mov (16|M0)  r255.0<1>:ud  0x0:ud
(W)  and (1|M0)  r255.2<1>:ud  r0.0<0;1,0>:ud  0xFFFFFFC0:ud
(W)  and (1|M0)  r255.0<1>:uw  r0.4<0;1,0>:uw  0xFF:uw
(W)  add (1|M0)  r255.2<1>:ud  r255.2<0;1,0>:ud  0x80:ud  {I@2}
(W)  add (1|M0)  r255.2<1>:ud  r255.2<0;1,0>:ud  0x0:ud  {I@1}
(W)  mad (1|M0)  r255.0<1>:ud  r255.2<0;0>:ud  r255.0<0;0>:uw  0x40:uw  {I@1}
(W)  mov (8|M0)  r2.0<1>:ud  r1.0<1;1,0>:ud
(W)  send.ugm (1|M0)  r1  r255  null:0  0xFF000000  0x6219D500  {A@1,$0} // wr:1+0, rd:1; load.ugm.d32x16t.a32.ca.cc.bti[255]
(W)  and (1|M0)  r255.0<1>:ud  r0.0<0;1,0>:ud  0xFFFFFFC0:ud  {$0.src}
(W)  add (1|M0)  r255.0<1>:ud  r255.0<0;1,0>:ud  0x0:ud  {I@1}
(W)  send.ugm (1|M0)  r3  r255  null:0  0xFF000000  0x6229E500  {I@1,$1} // wr:1+0, rd:2; load.ugm.d32x32t.a32.ca.cc.bti[255]
(W)  mov (16|M0)  r5.0<1>:ud  r0.0<1;1,0>:ud
(W)  or (1|M0)  cr0.0<1>:ud  cr0.0<0;1,0>:ud  0x400004C0:ud  {A@1}
(W)  mov (1|M0)  r1.9<1>:d  r5.1<0;1,0>:d  {A@1,$0.dst}
(W)  mov (2|M0)  r144.4<1>:d  r4.13<1;1,0>:d  {$1.dst}
(W)  mov (2|M0)  r118.12<1>:d  r5.6<1;1,0>:d
(W)  cmp (16|M0)  (lt)f1.1  null<1>:d  r1.9<0;1,0>:d  0:w  {I@3}
(W&f1.1) jmpi  L320
L288:
(W)  mov (1|M0)  r1.8<1>:d  r1.9<0;1,0>:d
(W)  jmpi  L336
L320:
(W)  add (1|M0)  r1.8<1>:d  r1.9<0;1,0>:d  3:w
L336:
mov (16|M0)  r140.0<1>:d  r1.0<1;1,0>:uw
(W)  asr (1|M0)  r168.5<1>:d  r1.8<0;1,0>:d  2:w  {I@2}
(W)  and (1|M0)  r1.8<1>:d  r1.8<0;1,0>:d  -4:w
(W)  mov (1|M0)  r2.0<1>:uq  r3.3<0;1,0>:uq  {Compacted}
shr (16|M0)  r6.0<1>:ud  r140.0<1;1,0>:ud  5:w  {I@4}
and (16|M0)  r141.0<1>:d  r140.0<1;1,0>:d  16:w  {Compacted}
(W)  add (1|M0)  r145.10<1>:d  r1.9<0;1,0>:d  -r1.8<0;1,0>:d  {I@4}
and (16|M0)  r139.0<1>:d  r6.0<1;1,0>:d  3:w  {Compacted,I@3}
shl (16|M0)  r142.0<1>:d  r140.0<1;1,0>:d  2:w  {Compacted}
(W)  mov (1|M0)  r1.8<1>:d  60:w
shl (16|M0)  r6.0<1>:d  r141.0<1;1,0>:d  2:w  {I@5}
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r3.28<0;1,0>:uw
(W)  send.ugm (1|M0)  r118  r2  null:0  0x0  0x02109580  {I@1,$2} // wr:1+0, rd:1; load.ugm.d32x2t.a64
(W)  asr (1|M0)  r145.5<1>:d  r118.13<0;1,0>:d  31:w  {$2.dst}
bfn.0xF8 (16|M0)  r143.0<1>:ud  r142.0<1;0>:ud  r1.8<0;0>:ud  r6.0<1>:ud  // s0&s1|s2
(W)  macl (1|M0)  r2.0<1>:ud  r118.13<0;1,0>:ud  r3.14<0;1,0>:ud
(W)  asr (1|M0)  r1.8<1>:d  r3.14<0;1,0>:d  31:w
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r3.28<0;1,0>:uw
(W)  mov (1|M0)  r145.12<1>:d  8:w
(W)  shl (1|M0)  r144.0<1>:d  r168.5<0;1,0>:d  4:w
(W)  mach (1|M0)  r168.0<1>:d  r118.13<0;1,0>:ud  r3.14<0;1,0>:ud
(W)  mul (1|M0)  acc0.0<1>:d  r118.13<0;1,0>:ud  r1.16<0;1,0>:uw {I@5}
(W)  mov (1|M0)  r6.3<1>:ud  2:w
(W)  mov (1|M0)  r6.7<1>:f  9.43676e-41:f
(W)  macl (1|M0)  r145.0<1>:d  r118.13<0;1,0>:ud  r1.8<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r3.14<0;1,0>:ud  r145.10<0;1,0>:uw
(W)  mov (1|M0)  r145.11<1>:d  4:w
(W)  mov (1|M0)  r168.6<1>:d  12:w
and (16|M0)  r116.0<1>:d  r140.0<1;1,0>:d  15:w  {Compacted}
(W)  add (1|M0)  r168.0<1>:d  r168.0<0;1,0>:d  r145.0<0;1,0>:d  {Compacted,I@5}
(W)  macl (1|M0)  r145.0<1>:d  r3.14<0;1,0>:ud  r145.5<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r118.12<0;1,0>:d  r3.30<0;1,0>:uw
shr (16|M0)  r114.0<1>:ud  r141.0<1;1,0>:ud  1:w
or (16|M0)  r146.0<1>:d  r139.0<1;1,0>:d  r144.0<0;1,0>:d  {Compacted}
(W)  add (1|M0)  r2.1<1>:d  r168.0<0;1,0>:d  r145.0<0;1,0>:d  {Compacted,I@4}
bfn.0xFE (16|M0)  r150.0<1>:ud  r139.0<1;0>:ud  r145.12<0;0>:ud  r144.0<0>:ud  // s0|s1|s2
bfn.0xFE (16|M0)  r149.0<1>:ud  r139.0<1;0>:ud  r145.11<0;0>:ud  r144.0<0>:ud  // s0|s1|s2
(W)  shl (1|M0)  r1.4<1>:q  r2.0<0;1,0>:q  1:w  {I@3}
(W)  macl (1|M0)  r2.0<1>:d  r118.12<0;1,0>:d  r3.15<0;1,0>:d
bfn.0xFE (16|M0)  r167.0<1>:ud  r139.0<1;0>:ud  r168.6<0;0>:ud  r144.0<0>:ud  // s0|s1|s2
or (16|M0)  r148.0<1>:d  r116.0<1;1,0>:d  r144.0<0;1,0>:d
(W)  add (1|M0)  r1.5<1>:q  r1.4<0;1,0>:q  r2.1<0;1,0>:q  {I@4}
(W)  mov (1|M0)  r1.32<2>:b  r5.8<0;1,0>:b
(W)  shl (1|M0)  r2.3<1>:d  r2.0<0;1,0>:d  1:w  {I@5}
(W)  shl (1|M0)  r2.2<1>:d  r4.0<0;1,0>:d  1:w  {Compacted}
or (16|M0)  r147.0<1>:d  r114.0<1;1,0>:d  4:w  {Compacted}
(W)  mov (1|M0)  r1.14<1>:d  r1.32<0;1,0>:ub  {I@4}
(W)  and (1|M0)  r2.1<1>:d  r1.10<0;1,0>:d  62:w
(W)  add (1|M0)  r1.8<1>:d  r2.2<0;1,0>:d  -1:w  {I@4}
(W)  mov (1|M0)  r6.0<1>:uq  r1.5<0;1,0>:q
(W)  shl (1|M0)  r1.15<1>:d  r1.14<0;1,0>:d  3:w  {I@4}
(W)  shr (1|M0)  r1.12<1>:ud  r2.1<0;1,0>:ud  1:w  {I@4}
(W)  add3 (1|M0)  r1.9<1>:d  r2.3<0;0>:d  r2.1<0;0>:d  255:w
(W)  mov (1|M0)  r6.4<1>:ud  r1.8<0;1,0>:d  {I@5}
(W)  bfn.0xF8 (1|M0)  r1.13<1>:ud  r1.15<0;0>:ud  r145.12<0;0>:ud  r144.0<0>:ud  {I@4} // s0&s1|s2
(W)  add (1|M0)  r6.5<1>:ud  r1.12<0;1,0>:d  r2.0<0;1,0>:d  {I@4}
(W)  mov (1|M0)  r6.2<1>:ud  r1.9<0;1,0>:d  {I@4}
(W)  mov (1|M0)  r6.6<1>:ud  r1.13<0;1,0>:d  {I@3}
send.ugm (1|M0)  r159  r6  null:0  0x0  0x02800203  {A@1,$3} // wr:1+0, rd:8; load_block2d.ugm.d16.a64
(W)  add3 (1|M0)  r6.5<1>:ud  r1.12<0;0>:d  r2.0<0;0>:d  32:w  {$3.src}
(W)  mov (1|M0)  r6.0<1>:uq  r1.5<0;1,0>:q
(W)  mov (1|M0)  r6.2<1>:ud  r1.9<0;1,0>:d
(W)  mov (1|M0)  r6.3<1>:ud  2:w
(W)  mov (1|M0)  r6.4<1>:ud  r1.8<0;1,0>:d
(W)  mov (1|M0)  r6.6<1>:ud  r1.13<0;1,0>:d
(W)  mov (1|M0)  r6.7<1>:f  9.43676e-41:f
send.ugm (1|M0)  r151  r6  null:0  0x0  0x02800203  {A@1,$4} // wr:1+0, rd:8; load_block2d.ugm.d16.a64
(W)  add3 (1|M0)  r6.5<1>:ud  r1.12<0;0>:d  r2.0<0;0>:d  64:w  {$4.src}
(W)  mov (1|M0)  r6.0<1>:uq  r1.5<0;1,0>:q
(W)  mov (1|M0)  r6.2<1>:ud  r1.9<0;1,0>:d
(W)  mov (1|M0)  r6.3<1>:ud  2:w
(W)  mov (1|M0)  r6.4<1>:ud  r1.8<0;1,0>:d
(W)  mov (1|M0)  r6.6<1>:ud  r1.13<0;1,0>:d
(W)  mov (1|M0)  r6.7<1>:f  9.43676e-41:f
send.ugm (1|M0)  r127  r6  null:0  0x0  0x02800203  {A@1,$5} // wr:1+0, rd:8; load_block2d.ugm.d16.a64
(W)  add3 (1|M0)  r6.5<1>:ud  r1.12<0;0>:d  r2.0<0;0>:d  96:w  {$5.src}
(W)  mov (1|M0)  r6.0<1>:uq  r1.5<0;1,0>:q
(W)  mov (1|M0)  r6.2<1>:ud  r1.9<0;1,0>:d
(W)  mov (1|M0)  r6.3<1>:ud  2:w
(W)  mov (1|M0)  r6.4<1>:ud  r1.8<0;1,0>:d
(W)  mov (1|M0)  r6.6<1>:ud  r1.13<0;1,0>:d
(W)  mov (1|M0)  r6.7<1>:f  9.43676e-41:f
send.ugm (1|M0)  r119  r6  null:0  0x0  0x02800203  {A@1,$6} // wr:1+0, rd:8; load_block2d.ugm.d16.a64
(W)  add (1|M0)  r1.8<1>:d  r118.0<0;1,0>:d  63:w
(W)  mul (1|M0)  r4.4<1>:d  r118.1<0;1,0>:d  3:w
(W)  cmp (16|M0)  (lt)f1.0  null<1>:d  r1.8<0;1,0>:d  0:w  {I@2}
(W&~f1.0) jmpi  L1664
L1648:
(W)  add (1|M0)  r1.8<1>:d  r118.0<0;1,0>:d  126:w
L1664:
(W)  asr (1|M0)  r118.2<1>:d  r1.8<0;1,0>:d  6:w  {I@1}
(W)  add (1|M0)  r1.8<1>:d  r4.4<0;1,0>:d  63:w
(W)  cmp (16|M0)  (lt)f0.1  null<1>:d  r1.8<0;1,0>:d  0:w  {I@1}
(W&~f0.1) jmpi  L1744
L1728:
(W)  add (1|M0)  r1.8<1>:d  r4.4<0;1,0>:d  126:w
L1744:
(W)  asr (1|M0)  r113.13<1>:d  r1.8<0;1,0>:d  6:w  {I@1}
(W)  add (1|M0)  r1.8<1>:d  r118.2<0;1,0>:d  r113.13<0;1,0>:d {I@1}
(W)  cmp (16|M0)  (lt)f0.0  null<1>:d  r1.8<0;1,0>:d  -3:w  {I@1}
(W&f0.0) jmpi  L1840
L1808:
(W)  add3 (1|M0)  r1.8<1>:d  r118.2<0;0>:d  r113.13<0;0>:d  3:w
(W)  jmpi  L1856
L1840:
(W)  add3 (1|M0)  r1.8<1>:d  r118.2<0;0>:d  r113.13<0;0>:d  6:w
L1856:
(W)  asr (1|M0)  r113.12<1>:d  r1.8<0;1,0>:d  2:w  {I@1}
(W)  shl (1|M0)  r3.7<1>:d  r4.3<0;1,0>:d  1:w
(W)  and (1|M0)  r4.15<1>:d  r1.15<0;1,0>:d  32:w
(W)  add (1|M0)  r112.8<1>:d  r118.0<0;1,0>:d  -1:w
(W)  mov (1|M0)  r2.2<1>:ud  255:w
(W)  mul (1|M0)  acc0.0<1>:d  r113.12<0;1,0>:d  r145.20<0;1,0>:uw {I@5}
(W)  add (1|M0)  r112.9<1>:d  r3.7<0;1,0>:d  -1:w  {I@5}
(W)  mov (1|M0)  r145.6<1>:d  48:w
(W)  macl (1|M0)  r145.0<1>:d  r113.12<0;1,0>:d  r145.10<0;1,0>:d {Compacted}
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r4.2<0;1,0>:uw
(W)  mov (1|M0)  r145.8<1>:d  32:w
(W)  mov (1|M0)  r145.7<1>:d  16:w
(W)  macl (1|M0)  r113.0<1>:ud  r118.13<0;1,0>:ud  r4.1<0;1,0>:ud  {Compacted}
(W)  add (1|M0)  r1.8<1>:d  r145.0<0;1,0>:d  r113.12<0;1,0>:d {I@5}
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r4.2<0;1,0>:uw
(W)  shl (1|M0)  r3.6<1>:d  r145.0<0;1,0>:d  6:w
(W)  mach (1|M0)  r4.0<1>:d  r118.13<0;1,0>:ud  r4.1<0;1,0>:ud
(W)  sel (1|M0)  (lt)f0.0  r113.11<1>:d  r1.8<0;1,0>:d  r118.2<0;1,0>:d  {I@4}
(W)  asr (1|M0)  r1.8<1>:d  r4.1<0;1,0>:d  31:w
(W)  cmp (16|M0)  (lt)f0.0  null<1>:d  r145.0<0;1,0>:d  r113.11<0;1,0>:d {I@2}
(W)  mul (1|M0)  acc0.0<1>:d  r118.13<0;1,0>:ud  r1.16<0;1,0>:uw {I@2}
(W)  macl (1|M0)  r2.0<1>:d  r118.13<0;1,0>:ud  r1.8<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r4.1<0;1,0>:ud  r145.10<0;1,0>:uw
(W)  add (1|M0)  r4.0<1>:d  r4.0<0;1,0>:d  r2.0<0;1,0>:d  {I@2}
(W)  macl (1|M0)  r2.0<1>:d  r4.1<0;1,0>:ud  r145.5<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r118.12<0;1,0>:d  r4.4<0;1,0>:uw
(W)  add (1|M0)  r113.1<1>:d  r4.0<0;1,0>:d  r2.0<0;1,0>:d  {Compacted,I@2}
(W)  macl (1|M0)  r2.0<1>:d  r118.12<0;1,0>:d  r4.2<0;1,0>:d  {Compacted}
(W)  add (1|M0)  r1.4<1>:q  r113.0<0;1,0>:q  r2.0<0;1,0>:d  {I@1}
(W)  shl (1|M0)  r1.4<1>:q  r1.4<0;1,0>:q  1:w  {I@1}
(W)  add (1|M0)  r113.3<1>:q  r1.4<0;1,0>:q  r2.2<0;1,0>:q  {I@1}
(W)  add (1|M0)  r113.2<1>:q  r1.4<0;1,0>:q  r2.3<0;1,0>:q
(W)  shl (1|M0)  r1.8<1>:d  r1.14<0;1,0>:d  5:w
(W)  mov (2|M0)  r2.3<1>:ud  r112.8<1;1,0>:d
(W)  mov (1|M0)  r2.6<1>:ud  r4.15<0;1,0>:d
(W)  mov (1|M0)  r2.7<1>:ud  0x1F1F:uw
(W)  mov (1|M0)  r2.0<1>:uq  r113.3<0;1,0>:q  {I@6}
(W)  and (1|M0)  r118.10<1>:d  r1.8<0;1,0>:d  96:w  {I@5}
(W)  add (1|M0)  r2.5<1>:ud  r118.10<0;1,0>:d  r3.6<0;1,0>:d  {I@1}
send.ugm (1|M0)  null  r2  null:0  0x0  0x02080203  {I@1,$7} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
(W)  or (1|M0)  r2.6<1>:ud  r3.6<0;1,0>:d  r4.15<0;1,0>:d  {$7.src}
(W)  mov (1|M0)  r2.0<1>:uq  r113.2<0;1,0>:q
(W)  mov (1|M0)  r2.2<1>:ud  255:w
(W)  mov (2|M0)  r2.3<1>:ud  r112.8<1;1,0>:d
(W)  mov (1|M0)  r2.5<1>:ud  r118.10<0;1,0>:d
(W)  mov (1|M0)  r2.7<1>:ud  0x1F1F:uw
send.ugm (1|M0)  null  r2  null:0  0x0  0x02080203  {I@1,$8} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
(W&f0.0) jmpi  L3184
L2592:
mov (16|M0)  r88.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r89.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r90.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r91.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r92.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r93.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r94.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r95.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r70.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r71.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r72.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r73.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r74.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r75.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r76.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r77.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r62.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r63.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r64.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r65.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r66.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r67.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r68.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r69.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r54.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r55.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r56.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r57.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r58.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r59.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r60.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r61.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r46.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r47.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r48.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r49.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r50.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r51.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r52.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r53.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r38.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r39.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r40.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r41.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r42.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r43.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r44.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r45.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r30.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r31.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r32.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r33.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r34.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r35.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r36.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r37.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r22.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r23.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r24.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r25.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r26.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r27.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r28.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r29.0<1>:f  0.0:f  {Compacted}
(W)  mov (4|M0)  r112.12<1>:f  -inf:f
(W)  mov (4|M0)  r113.0<1>:f  -inf:f
(W)  mov (4|M0)  r1.8<1>:f  0.0:f
(W)  mov (4|M0)  r1.12<1>:f  0.0:f
(W)  jmpi  L12848
L3184:
(W)  and (1|M0)  r2.9<1>:d  r113.6<0;1,0>:d  62:w  {$8.src}
(W)  and (1|M0)  r2.8<1>:d  r113.4<0;1,0>:d  62:w
mov (16|M0)  r88.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r89.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r90.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r91.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r92.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r93.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r94.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r95.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r70.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r71.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r72.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r73.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r74.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r75.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r76.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r77.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r62.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r63.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r64.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r65.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r66.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r67.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r68.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r69.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r54.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r55.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r56.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r57.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r58.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r59.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r60.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r61.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r46.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r47.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r48.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r49.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r50.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r51.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r52.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r53.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r38.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r39.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r40.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r41.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r42.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r43.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r44.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r45.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r30.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r31.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r32.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r33.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r34.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r35.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r36.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r37.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r22.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r23.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r24.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r25.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r26.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r27.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r28.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r29.0<1>:f  0.0:f  {Compacted}
(W)  shr (1|M0)  r2.5<1>:ud  r2.9<0;1,0>:ud  2:w
(W)  add (1|M0)  r2.2<1>:d  r2.9<0;1,0>:d  255:w
(W)  shr (1|M0)  r112.5<1>:ud  r2.8<0;1,0>:ud  1:w
(W)  add (1|M0)  r112.2<1>:d  r2.8<0;1,0>:d  255:w
(W)  mov (1|M0)  r2.0<1>:q  r113.3<0;1,0>:q
(W)  mov (1|M0)  r2.3<1>:d  r112.8<0;1,0>:d
(W)  mov (1|M0)  r2.4<1>:d  r112.9<0;1,0>:d
(W)  mov (1|M0)  r2.3<1>:uq  0xF0700000000:uq
(W)  mov (1|M0)  r112.0<1>:q  r113.2<0;1,0>:q
(W)  mov (1|M0)  r112.3<1>:d  r112.8<0;1,0>:d
(W)  mov (1|M0)  r112.4<1>:d  r112.9<0;1,0>:d
(W)  mov (1|M0)  r112.6<1>:d  0:w
(W)  mov (1|M0)  r112.7<1>:d  73487:d
(W)  mov (1|M0)  r4.14<1>:d  r3.6<0;1,0>:d
(W)  mov (1|M0)  r1.8<1>:f  0.0:f
(W)  mov (1|M0)  r1.9<1>:f  0.0:f
(W)  mov (1|M0)  r1.10<1>:f  0.0:f
(W)  mov (1|M0)  r1.11<1>:f  0.0:f
(W)  mov (1|M0)  r1.12<1>:f  0.0:f
(W)  mov (1|M0)  r1.13<1>:f  0.0:f
(W)  mov (1|M0)  r1.14<1>:f  0.0:f
(W)  mov (1|M0)  r1.15<1>:f  0.0:f
(W)  mov (4|M0)  r2.12<1>:f  -inf:f
(W)  mov (1|M0)  r113.8<1>:d  r145.0<0;1,0>:d
(W)  mov (4|M0)  r2.8<1>:f  -inf:f
L4128:
(W)  add3 (1|M0)  r6.5<1>:ud  r118.10<0;0>:d  r4.14<0;0>:d  64:w  {@2,$6.src}
(W)  mov (1|M0)  r6.0<1>:uq  r113.3<0;1,0>:q
(W)  mov (1|M0)  r6.2<1>:ud  255:w
(W)  mov (1|M0)  r6.3<1>:ud  r112.8<0;1,0>:d
(W)  mov (1|M0)  r6.4<1>:ud  r112.9<0;1,0>:d
(W)  mov (1|M0)  r6.6<1>:ud  r4.15<0;1,0>:d
(W)  mov (1|M0)  r6.7<1>:ud  0x1F1F:uw
(W)  add (1|M0)  r113.10<1>:d  r4.14<0;1,0>:d  64:w
(W)  shl (1|M0)  r118.3<1>:d  r113.8<0;1,0>:d  6:w  {I@7}
(W)  mov (1|M0)  r2.6<1>:d  r4.14<0;1,0>:d
(W)  mov (1|M0)  r112.6<1>:d  r4.14<0;1,0>:d
send.ugm (1|M0)  null  r6  null:0  0x0  0x02080203  {I@5,$13} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
(W)  or (1|M0)  r6.6<1>:ud  r113.10<0;1,0>:d  r4.15<0;1,0>:d  {@4,$13.src}
(W)  mov (1|M0)  r6.0<1>:uq  r113.2<0;1,0>:q
(W)  mov (1|M0)  r6.2<1>:ud  255:w
(W)  mov (1|M0)  r6.3<1>:ud  r112.8<0;1,0>:d
(W)  mov (1|M0)  r6.4<1>:ud  r112.9<0;1,0>:d
(W)  mov (1|M0)  r6.5<1>:ud  r118.10<0;1,0>:d
(W)  mov (1|M0)  r6.7<1>:ud  0x1F1F:uw
send.ugm (1|M0)  r78  r2  null:0  0x4000000  0x02808403  {A@1,$14} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x0,0x10)]
send.ugm (1|M0)  r206  r112  null:0  0x0  0x03F00283  {I@7,$15} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64
(W)  add (1|M0)  r113.9<1>:d  r113.8<0;1,0>:d  1:w
send.ugm (1|M0)  null  r6  null:0  0x0  0x02080203  {I@2,$16} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
or (16|M0)  r6.0<1>:d  r118.3<0;1,0>:d  r116.0<1;1,0>:d  {$16.src}
(W)  cmp (16|M0)  (eq)f1.1  null<1>:d  r113.9<0;1,0>:d  r113.11<0;1,0>:d {I@2}
cmp (16|M0)  (lt)f3.1  null<1>:d  r6.0<1;1,0>:d  r118.0<0;1,0>:d  {I@2}
bfn.0xFE (16|M0)  r6.0<1>:ud  r116.0<1;0>:ud  r145.7<0;0>:ud  r118.3<0>:ud  // s0|s1|s2
cmp (16|M0)  (lt)f3.0  null<1>:d  r6.0<1;1,0>:d  r118.0<0;1,0>:d  {I@1}
bfn.0xFE (16|M0)  r6.0<1>:ud  r116.0<1;0>:ud  r145.8<0;0>:ud  r118.3<0>:ud  // s0|s1|s2
cmp (16|M0)  (lt)f2.1  null<1>:d  r6.0<1;1,0>:d  r118.0<0;1,0>:d  {I@1}
bfn.0xFE (16|M0)  r6.0<1>:ud  r116.0<1;0>:ud  r145.6<0;0>:ud  r118.3<0>:ud  // s0|s1|s2
cmp (16|M0)  (lt)f2.0  null<1>:d  r6.0<1;1,0>:d  r118.0<0;1,0>:d  {I@1}
send.ugm (1|M0)  r6  r2  null:0  0x0  0x02808403  {I@1,$17} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64
sync.allwr  ($14,$17)
dpas.8x8 (16|M0)  r14:f  null:f  r6:bf  r159.0:bf  {Atomic,$3.dst}
dpas.8x8 (16|M0)  r6:f  null:f  r78:bf  r159.0:bf  {$3}
sync.nop  null  {$3.src}
send.ugm (1|M0)  r78  r2  null:0  0x8000000  0x02808403  {$18} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x0,0x20)]
dpas.8x8 (16|M0)  r96:f  null:f  r78:bf  r159.0:bf  {$18}
sync.nop  null  {Compacted,$18.src}
send.ugm (1|M0)  r78  r2  null:0  0xC000000  0x02808403  {$19} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x0,0x30)]
dpas.8x8 (16|M0)  r104:f  null:f  r78:bf  r159.0:bf  {$19}
sync.nop  null  {Compacted,$19.src}
send.ugm (1|M0)  r80  r2  null:0  0x8000  0x02808403  {$20} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x0)]
sync.nop  null  {Compacted,$20.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r163.0:bf  {Compacted,$3}
sync.nop  null  {Compacted,$3.src}
send.ugm (1|M0)  r78  r2  null:0  0x4008000  0x02808403  {$21} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x10)]
dpas.8x8 (16|M0)  r6:f  r6:f  r78:bf  r163.0:bf  {Compacted,$21}
sync.nop  null  {Compacted,$21.src}
send.ugm (1|M0)  r78  r2  null:0  0x8008000  0x02808403  {$22} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x20)]
sync.nop  null  {Compacted,$22.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r78:bf  r163.0:bf  {Compacted,$18}
sync.nop  null  {Compacted,$18.src}
send.ugm (1|M0)  r78  r2  null:0  0xC008000  0x02808403  {$23} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x30)]
sync.nop  null  {Compacted,$23.dst}
dpas.8x8 (16|M0)  r104:f  r104:f  r78:bf  r163.0:bf  {Compacted,$19}
sync.nop  null  {Compacted,$19.src}
send.ugm (1|M0)  r80  r2  null:0  0x10000  0x02808403  {$24} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x0)]
sync.allwr  ($3,$24)
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r151.0:bf  {Compacted,$4}
sync.nop  null  {Compacted,$4.src}
send.ugm (1|M0)  r78  r2  null:0  0x4010000  0x02808403  {$25} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x10)]
sync.nop  null  {Compacted,$25.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r78:bf  r151.0:bf  {Compacted,$21}
sync.nop  null  {Compacted,$21.src}
send.ugm (1|M0)  r78  r2  null:0  0x8010000  0x02808403  {$26} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x20)]
sync.nop  null  {Compacted,$26.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r78:bf  r151.0:bf  {Compacted,$18}
sync.nop  null  {Compacted,$18.src}
send.ugm (1|M0)  r78  r2  null:0  0xC010000  0x02808403  {$27} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x30)]
sync.nop  null  {Compacted,$27.dst}
dpas.8x8 (16|M0)  r104:f  r104:f  r78:bf  r151.0:bf  {Compacted,$19}
sync.nop  null  {Compacted,$19.src}
send.ugm (1|M0)  r80  r2  null:0  0x18000  0x02808403  {$28} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x0)]
sync.nop  null  {Compacted,$28.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r155.0:bf  {Compacted,$4}
sync.nop  null  {Compacted,$4.src}
send.ugm (1|M0)  r78  r2  null:0  0x4018000  0x02808403  {$29} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x10)]
sync.nop  null  {Compacted,$29.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r78:bf  r155.0:bf  {Compacted,$21}
sync.nop  null  {Compacted,$21.src}
send.ugm (1|M0)  r78  r2  null:0  0x8018000  0x02808403  {$30} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x20)]
sync.nop  null  {Compacted,$30.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r78:bf  r155.0:bf  {Compacted,$18}
sync.nop  null  {$18.src}
send.ugm (1|M0)  r78  r2  null:0  0xC018000  0x02808403  {$31} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x30)]
sync.nop  null  {Compacted,$31.dst}
dpas.8x8 (16|M0)  r104:f  r104:f  r78:bf  r155.0:bf  {Compacted,$19}
sync.nop  null  {$19.src}
send.ugm (1|M0)  r80  r2  null:0  0x20000  0x02808403  {$0} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x0)]
sync.allwr  ($0,$5)
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r127.0:bf  {Compacted,$4}
sync.nop  null  {Compacted,$4.src}
send.ugm (1|M0)  r78  r2  null:0  0x4020000  0x02808403  {$1} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x10)]
sync.nop  null  {Compacted,$1.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r78:bf  r127.0:bf  {Compacted,$21}
sync.nop  null  {Compacted,$21.src}
send.ugm (1|M0)  r78  r2  null:0  0x8020000  0x02808403  {$2} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x20)]
sync.nop  null  {Compacted,$2.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r78:bf  r127.0:bf  {Compacted,$18}
sync.nop  null  {Compacted,$18.src}
send.ugm (1|M0)  r78  r2  null:0  0xC020000  0x02808403  {$7} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x30)]
sync.nop  null  {Compacted,$7.dst}
dpas.8x8 (16|M0)  r104:f  r104:f  r78:bf  r127.0:bf  {Compacted,$19}
sync.nop  null  {Compacted,$19.src}
send.ugm (1|M0)  r80  r2  null:0  0x28000  0x02808403  {$13} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x0)]
sync.nop  null  {Compacted,$13.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r131.0:bf  {Compacted,$4}
sync.nop  null  {Compacted,$4.src}
send.ugm (1|M0)  r78  r2  null:0  0x4028000  0x02808403  {$16} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x10)]
sync.nop  null  {Compacted,$16.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r78:bf  r131.0:bf  {Compacted,$21}
sync.nop  null  {Compacted,$21.src}
send.ugm (1|M0)  r78  r2  null:0  0x8028000  0x02808403  {$17} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x20)]
sync.nop  null  {Compacted,$17.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r78:bf  r131.0:bf  {Compacted,$18}
sync.nop  null  {Compacted,$18.src}
send.ugm (1|M0)  r78  r2  null:0  0xC028000  0x02808403  {$20} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x30)]
sync.nop  null  {Compacted,$20.dst}
dpas.8x8 (16|M0)  r104:f  r104:f  r78:bf  r131.0:bf  {Compacted,$19}
sync.nop  null  {$19.src}
send.ugm (1|M0)  r80  r2  null:0  0x30000  0x02808403  {$22} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x0)]
sync.allwr  ($6,$22)
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r119.0:bf  {Compacted,$4}
sync.nop  null  {Compacted,$4.src}
send.ugm (1|M0)  r78  r2  null:0  0x4030000  0x02808403  {$23} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x10)]
sync.nop  null  {Compacted,$23.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r78:bf  r119.0:bf  {Compacted,$21}
sync.nop  null  {Compacted,$21.src}
send.ugm (1|M0)  r78  r2  null:0  0x8030000  0x02808403  {$24} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x20)]
sync.nop  null  {Compacted,$24.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r78:bf  r119.0:bf  {Compacted,$18}
sync.nop  null  {Compacted,$18.src}
send.ugm (1|M0)  r78  r2  null:0  0xC030000  0x02808403  {$25} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x30)]
sync.nop  null  {Compacted,$25.dst}
dpas.8x8 (16|M0)  r104:f  r104:f  r78:bf  r119.0:bf  {Compacted,$19}
sync.nop  null  {Compacted,$19.src}
send.ugm (1|M0)  r80  r2  null:0  0x38000  0x02808403  {$26} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x0)]
sync.nop  null  {Compacted,$26.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r123.0:bf  {Compacted,$4}
mul (16|M0)  acc0.0<1>:f  r14.0<1;1,0>:f  r4.12<0;1,0>:f  {$4.dst}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc1.0<1>:f  r15.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r138.0<1>:f  acc1.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc2.0<1>:f  r16.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r85.0<1>:f  acc2.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r17.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r82.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r18.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r79.0<1>:f  acc4.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc5.0<1>:f  r19.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r78.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc6.0<1>:f  r20.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc7.0<1>:f  r21.0<1;1,0>:f  r4.12<0;1,0>:f
send.ugm (1|M0)  r14  r2  null:0  0x4038000  0x02808403  {F@1,$27} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x10)]
add (16|M0)  acc6.0<1>:f  acc6.0<1;1,0>:f  0.0:f  {Compacted}
add (16|M0)  acc7.0<1>:f  acc7.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r81.0<1>:f  acc6.0<1;1,0>:f  -inf:f  {Compacted}
(f3.1)  sel (16|M0)  r80.0<1>:f  acc7.0<1;1,0>:f  -inf:f  {Compacted}
sync.nop  null  {Compacted,$27.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r14:bf  r123.0:bf  {Compacted,$21}
mul (16|M0)  acc7.0<1>:f  r6.0<1;1,0>:f  r4.12<0;1,0>:f  {$21.dst}
add (16|M0)  acc7.0<1>:f  acc7.0<1;1,0>:f  0.0:f  {Compacted}
(f3.0)  sel (16|M0)  acc7.0<1>:f  acc7.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc6.0<1>:f  r7.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc6.0<1>:f  acc6.0<1;1,0>:f  0.0:f  {Compacted}
(f3.0)  sel (16|M0)  acc6.0<1>:f  acc6.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc5.0<1>:f  r8.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f3.0)  sel (16|M0)  r170.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r9.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0.0:f  {Compacted}
sel (16|M0)  (ge)f0.0  r17.0<1>:f  r85.0<1;1,0>:f  r170.0<1;1,0>:f  {Compacted,F@3}
(f3.0)  sel (16|M0)  r136.0<1>:f  acc4.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r10.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
(f3.0)  sel (16|M0)  r20.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r11.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
sel (16|M0)  (ge)f0.0  r18.0<1>:f  r79.0<1;1,0>:f  r20.0<1;1,0>:f  {Compacted,F@3}
(f3.0)  sel (16|M0)  r14.0<1>:f  acc3.0<1;1,0>:f  -inf:f
mul (16|M0)  acc3.0<1>:f  r12.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc4.0<1>:f  r13.0<1;1,0>:f  r4.12<0;1,0>:f
send.ugm (1|M0)  r6  r2  null:0  0x8038000  0x02808403  {F@1,$28} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x20)]
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
sel (16|M0)  (ge)f0.0  r19.0<1>:f  r78.0<1;1,0>:f  r14.0<1;1,0>:f  {Compacted}
add (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0.0:f  {Compacted}
(f3.0)  sel (16|M0)  r16.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
(f3.0)  sel (16|M0)  r15.0<1>:f  acc4.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  acc4.0<1>:f  acc0.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted}
sel (16|M0)  (ge)f0.0  r83.0<1>:f  r81.0<1;1,0>:f  r16.0<1;1,0>:f  {Compacted,F@3}
sel (16|M0)  (ge)f0.0  r84.0<1>:f  r80.0<1;1,0>:f  r15.0<1;1,0>:f  {Compacted,F@3}
sel (16|M0)  (ge)f0.0  acc3.0<1>:f  r138.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
sel (16|M0)  (ge)f0.0  acc1.0<1>:f  r82.0<1;1,0>:f  r136.0<1;1,0>:f  {Compacted}
sync.nop  null  {Compacted,$28.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r6:bf  r123.0:bf  {Compacted,$18}
sync.nop  null  {Compacted,$18.src}
send.ugm (1|M0)  r6  r2  null:0  0xC038000  0x02808403  {$29} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x30)]
mul (16|M0)  acc2.0<1>:f  r96.0<1;1,0>:f  r4.12<0;1,0>:f  {$18.dst}
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r173.0<1>:f  acc4.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r97.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  mov (16|M0)  r97.0<1>:ud  0xFF800000:ud  {F@1}
add (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r174.0<1>:f  acc3.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r98.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r175.0<1>:f  r17.0<1;1,0>:f  acc3.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc5.0<1>:f  r99.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  r171.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r172.0<1>:f  acc1.0<1;1,0>:f  r171.0<1;1,0>:f  {Compacted,F@1}
mul (16|M0)  acc1.0<1>:f  r100.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  r137.0<1>:f  acc1.0<1;1,0>:f  -inf:f
mul (16|M0)  acc1.0<1>:f  r101.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
sel (16|M0)  (ge)f0.0  r169.0<1>:f  r18.0<1;1,0>:f  r137.0<1;1,0>:f  {Compacted,F@3}
(f2.1)  sel (16|M0)  r86.0<1>:f  acc1.0<1;1,0>:f  -inf:f
mul (16|M0)  acc1.0<1>:f  r102.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc5.0<1>:f  r103.0<1;1,0>:f  r4.12<0;1,0>:f
sel (16|M0)  (ge)f0.0  r135.0<1>:f  r19.0<1;1,0>:f  r86.0<1;1,0>:f  {Compacted,F@3}
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  -inf:f  {Compacted}
sync.nop  null  {Compacted,$29.dst}
dpas.8x8 (16|M0)  r104:f  r104:f  r6:bf  r123.0:bf  {Compacted,$19}
(f2.1)  sel (16|M0)  r21.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r96.0<1>:f  r83.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
(W)  mov (16|M0)  r7.0<1>:ud  0xFF800000:ud  {$19.src}
sel (16|M0)  (ge)f0.0  r87.0<1>:f  r84.0<1;1,0>:f  r21.0<1;1,0>:f  {F@2}
(W)  mov (16|M0)  r9.0<1>:ud  0xFF800000:ud
(W)  mov (16|M0)  r11.0<1>:ud  0xFF800000:ud
mul (16|M0)  acc5.0<1>:f  r104.0<1;1,0>:f  r4.12<0;1,0>:f  {$19.dst}
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f2.0)  sel (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r7.0<1>:f  r173.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted,I@3}
(W)  mov (8|M0)  r6.0<1>:ud  r7.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (8|M0)  (ge)f0.0  r6.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r6.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r6.0<1>:f  r6.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r6.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r6.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r3.6<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r6.0<1>:f  r2.12<0;1,0>:f  r3.6<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f3.1  null<1>:f  r6.0<0;1,0>:f  -inf:f  {F@1}
(W&~f3.1) sel (1|M0)  r3.6<1>:f  r6.0<0;1,0>:f  0.0:f
add (16|M0)  r7.0<1>:f  acc0.0<1;1,0>:f  -r3.6<0;1,0>:f  {F@1}
add (16|M0)  r8.0<1>:f  acc2.0<1;1,0>:f  -r3.6<0;1,0>:f
(W)  add (1|M0)  r3.7<1>:f  r2.12<0;1,0>:f  -r3.6<0;1,0>:f
math.exp (16|M0)  r84.0<1>:f  r7.0<1;1,0>:f  {F@3}
add (16|M0)  r7.0<1>:f  acc7.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
math.exp (16|M0)  r17.0<1>:f  r8.0<1;1,0>:f  {F@3}
math.exp (16|M0)  r83.0<1>:f  r7.0<1;1,0>:f  {F@1}
add (16|M0)  r7.0<1>:f  acc5.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r105.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  mov (16|M0)  r8.0<1>:ud  0xFF800000:ud
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r10.0<1>:f  r7.0<1;1,0>:f  {F@3}
(f2.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  math.exp (1|M0)  r4.13<1>:f  r3.7<0;1,0>:f
sel (16|M0)  (ge)f0.0  r8.0<1>:f  r174.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted,I@1}
(W)  mul (1|M0)  r6.9<1>:f  r1.8<0;1,0>:f  r4.13<0;1,0>:f  {M@1}
(W)  mov (8|M0)  r7.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@2}
(W)  sel (8|M0)  (ge)f0.0  r7.0<1>:f  r8.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r7.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r7.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r3.6<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r6.1<1>:f  r2.13<0;1,0>:f  r3.6<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f3.0  null<1>:f  r6.1<0;1,0>:f  -inf:f  {F@1}
(W&~f3.0) sel (1|M0)  r3.6<1>:f  r6.1<0;1,0>:f  0.0:f
add (16|M0)  r7.0<1>:f  r138.0<1;1,0>:f  -r3.6<0;1,0>:f  {F@1}
add (16|M0)  r8.0<1>:f  acc4.0<1;1,0>:f  -r3.6<0;1,0>:f
(W)  add (1|M0)  r3.7<1>:f  r2.13<0;1,0>:f  -r3.6<0;1,0>:f
math.exp (16|M0)  r19.0<1>:f  r7.0<1;1,0>:f  {F@3}
add (16|M0)  r7.0<1>:f  acc6.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
math.exp (16|M0)  r12.0<1>:f  r8.0<1;1,0>:f  {F@3}
math.exp (16|M0)  r18.0<1>:f  r7.0<1;1,0>:f  {F@1}
add (16|M0)  r7.0<1>:f  acc0.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r106.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  math.exp (1|M0)  r4.11<1>:f  r3.7<0;1,0>:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f
math.exp (16|M0)  r8.0<1>:f  r7.0<1;1,0>:f  {F@3}
(f2.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mul (1|M0)  r6.4<1>:f  r1.9<0;1,0>:f  r4.11<0;1,0>:f  {M@2}
sel (16|M0)  (ge)f0.0  r9.0<1>:f  r175.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r7.0<1>:ud  r9.8<1;1,0>:ud  {Compacted,A@1}
(W)  sel (8|M0)  (ge)f0.0  r7.0<1>:f  r9.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r7.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r7.2<1;1,0>:ud  {F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r3.6<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r6.2<1>:f  r2.14<0;1,0>:f  r3.6<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f2.1  null<1>:f  r6.2<0;1,0>:f  -inf:f  {F@1}
(W&~f2.1) sel (1|M0)  r3.6<1>:f  r6.2<0;1,0>:f  0.0:f
add (16|M0)  r7.0<1>:f  r85.0<1;1,0>:f  -r3.6<0;1,0>:f  {F@1}
add (16|M0)  r9.0<1>:f  acc3.0<1;1,0>:f  -r3.6<0;1,0>:f
(W)  add (1|M0)  r3.7<1>:f  r2.14<0;1,0>:f  -r3.6<0;1,0>:f
math.exp (16|M0)  r100.0<1>:f  r7.0<1;1,0>:f  {F@3}
add (16|M0)  r7.0<1>:f  r170.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
math.exp (16|M0)  r13.0<1>:f  r9.0<1;1,0>:f  {F@3}
(W)  mov (16|M0)  r85.0<1>:ud  0xFF800000:ud
math.exp (16|M0)  r101.0<1>:f  r7.0<1;1,0>:f  {F@1}
add (16|M0)  r7.0<1>:f  acc0.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r107.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  math.exp (1|M0)  r4.10<1>:f  r3.7<0;1,0>:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r7.0<1>:f  r7.0<1;1,0>:f  {F@3}
(f2.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mul (1|M0)  r6.5<1>:f  r1.10<0;1,0>:f  r4.10<0;1,0>:f  {M@2}
sel (16|M0)  (ge)f0.0  r11.0<1>:f  r172.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r9.0<1>:ud  r11.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (8|M0)  (ge)f0.0  r9.0<1>:f  r11.0<1;1,0>:f  r9.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r9.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r9.0<1>:f  r9.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r9.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r9.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r3.6<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r6.3<1>:f  r2.15<0;1,0>:f  r3.6<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f1.0  null<1>:f  r6.3<0;1,0>:f  -inf:f  {F@1}
(W)  mov (4|M0)  r117.0<1>:ud  r6.0<1;1,0>:ud
(W&~f1.0) sel (1|M0)  r3.6<1>:f  r6.3<0;1,0>:f  0.0:f
add (16|M0)  r9.0<1>:f  r82.0<1;1,0>:f  -r3.6<0;1,0>:f  {F@1}
add (16|M0)  r11.0<1>:f  r171.0<1;1,0>:f  -r3.6<0;1,0>:f
(W)  add (1|M0)  r3.7<1>:f  r2.15<0;1,0>:f  -r3.6<0;1,0>:f
math.exp (16|M0)  r82.0<1>:f  r9.0<1;1,0>:f  {F@3}
add (16|M0)  r9.0<1>:f  r136.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
math.exp (16|M0)  r102.0<1>:f  r11.0<1;1,0>:f  {F@3}
sync.nop  null  {$11.src}
send.ugm (1|M0)  r170  r112  null:0  0x8000000  0x03F00283  {$30} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x0,0x20)]
math.exp (16|M0)  r103.0<1>:f  r9.0<1;1,0>:f  {F@1}
add (16|M0)  r9.0<1>:f  acc0.0<1;1,0>:f  -r3.6<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r108.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  math.exp (1|M0)  r4.7<1>:f  r3.7<0;1,0>:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r9.0<1>:f  r9.0<1;1,0>:f  {F@3}
(f2.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mul (1|M0)  r6.6<1>:f  r1.11<0;1,0>:f  r4.7<0;1,0>:f  {M@2}
sel (16|M0)  (ge)f0.0  r85.0<1>:f  r169.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r11.0<1>:ud  r85.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (8|M0)  (ge)f0.0  r11.0<1>:f  r85.0<1;1,0>:f  r11.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r11.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r11.0<1>:f  r11.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r11.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r11.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r3.6<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r4.0<1>:f  r2.8<0;1,0>:f  r3.6<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f0.1  null<1>:f  r4.0<0;1,0>:f  -inf:f  {F@1}
(W&~f0.1) sel (1|M0)  r6.7<1>:f  r4.0<0;1,0>:f  0.0:f
add (16|M0)  r11.0<1>:f  r79.0<1;1,0>:f  -r6.7<0;1,0>:f  {F@1}
(W)  add (1|M0)  r3.6<1>:f  r2.8<0;1,0>:f  -r6.7<0;1,0>:f
math.exp (16|M0)  r79.0<1>:f  r11.0<1;1,0>:f  {F@2}
add (16|M0)  r11.0<1>:f  r20.0<1;1,0>:f  -r6.7<0;1,0>:f  {M@1}
add (16|M0)  r20.0<1>:f  r137.0<1;1,0>:f  -r6.7<0;1,0>:f
mov (16|M0)  r98.0<1>:bf  r79.0<1;1,0>:f
math.exp (16|M0)  r136.0<1>:f  r11.0<1;1,0>:f  {F@3}
add (16|M0)  r11.0<1>:f  acc0.0<1;1,0>:f  -r6.7<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r109.0<1;1,0>:f  r4.12<0;1,0>:f
math.exp (16|M0)  r20.0<1>:f  r20.0<1;1,0>:f  {F@4}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f
(W)  math.exp (1|M0)  r3.15<1>:f  r3.6<0;1,0>:f
(f2.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
math.exp (16|M0)  r11.0<1>:f  r11.0<1;1,0>:f  {F@4}
sel (16|M0)  (ge)f0.0  r97.0<1>:f  r135.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mul (1|M0)  r6.7<1>:f  r1.12<0;1,0>:f  r3.15<0;1,0>:f  {M@2}
(W)  mov (8|M0)  r85.0<1>:ud  r97.8<1;1,0>:ud  {Compacted,F@2}
mov (16|M0)  r97.16<1>:bf  r82.0<1;1,0>:f  {I@1}
(W)  sel (8|M0)  (ge)f0.0  r85.0<1>:f  r97.0<1;1,0>:f  r85.0<1;1,0>:f  {Compacted}
mov (16|M0)  r97.0<1>:bf  r100.0<1;1,0>:f
(W)  mov (4|M0)  r168.0<1>:ud  r85.4<1;1,0>:ud  {Compacted,F@2}
(W)  sel (4|M0)  (ge)f0.0  r85.0<1>:f  r85.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r85.2<1;1,0>:ud  {F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r85.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  mov (16|M0)  r85.0<1>:ud  0xFF800000:ud  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r6.8<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f
(W)  sel (1|M0)  (ge)f0.0  r4.1<1>:f  r2.9<0;1,0>:f  r6.8<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f0.0  null<1>:f  r4.1<0;1,0>:f  -inf:f  {F@1}
(W&~f0.0) sel (1|M0)  r6.8<1>:f  r4.1<0;1,0>:f  0.0:f
add (16|M0)  r14.0<1>:f  r14.0<1;1,0>:f  -r6.8<0;1,0>:f  {F@1}
add (16|M0)  r78.0<1>:f  r78.0<1;1,0>:f  -r6.8<0;1,0>:f
(W)  add (1|M0)  r6.10<1>:f  r2.9<0;1,0>:f  -r6.8<0;1,0>:f
math.exp (16|M0)  r138.0<1>:f  r14.0<1;1,0>:f  {F@3}
add (16|M0)  r14.0<1>:f  acc0.0<1;1,0>:f  -r6.8<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r110.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc2.0<1>:f  r111.0<1;1,0>:f  r4.12<0;1,0>:f
math.exp (16|M0)  r137.0<1>:f  r78.0<1;1,0>:f  {F@5}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f
add (16|M0)  r78.0<1>:f  r86.0<1;1,0>:f  -r6.8<0;1,0>:f  {M@1}
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  0.0:f  {Compacted}
(W)  math.exp (1|M0)  r3.14<1>:f  r6.10<0;1,0>:f  {F@7}
(f2.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
math.exp (16|M0)  r135.0<1>:f  r78.0<1;1,0>:f  {F@3}
(f2.0)  sel (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  -inf:f  {Compacted}
math.exp (16|M0)  r14.0<1>:f  r14.0<1;1,0>:f
sel (16|M0)  (ge)f0.0  r85.0<1>:f  r96.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted,I@1}
mov (16|M0)  r98.16<1>:bf  r137.0<1;1,0>:f
mov (16|M0)  r96.0<1>:bf  r84.0<1;1,0>:f
(W)  mov (8|M0)  r78.0<1>:ud  r85.8<1;1,0>:ud  {Compacted,A@2}
mov (16|M0)  r96.16<1>:bf  r19.0<1;1,0>:f
(W)  mul (1|M0)  r6.8<1>:f  r1.13<0;1,0>:f  r3.14<0;1,0>:f
(W)  sel (8|M0)  (ge)f0.0  r78.0<1>:f  r85.0<1;1,0>:f  r78.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r85.0<1>:ud  0xFF800000:ud  {F@1}
sel (16|M0)  (ge)f0.0  r85.0<1>:f  r87.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r78.4<1;1,0>:ud  {Compacted}
(W)  sel (4|M0)  (ge)f0.0  r78.0<1>:f  r78.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r78.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r78.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  mov (8|M0)  r78.0<1>:ud  r85.8<1;1,0>:ud  {F@1}
mov (16|M0)  r85.16<1>:bf  r138.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r6.11<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f
(W)  sel (8|M0)  (ge)f0.0  r78.0<1>:f  r85.0<1;1,0>:f  r78.0<1;1,0>:f
mov (16|M0)  r85.0<1>:bf  r136.0<1;1,0>:f
(W)  sel (1|M0)  (ge)f0.0  r4.2<1>:f  r2.10<0;1,0>:f  r6.11<0;1,0>:f  {F@3}
(W)  mov (4|M0)  r168.0<1>:ud  r78.4<1;1,0>:ud  {Compacted,F@3}
(W)  cmp (1|M0)  (eq)f3.1  null<1>:f  r4.2<0;1,0>:f  -inf:f  {F@1}
(W)  sel (4|M0)  (ge)f0.0  r78.0<1>:f  r78.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r168.0<1>:ud  r78.2<1;1,0>:ud  {F@1}
(W)  sel (2|M0)  (ge)f0.0  r168.0<1>:f  r78.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r6.10<1>:f  r168.0<0;1,0>:f  r168.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r4.3<1>:f  r2.11<0;1,0>:f  r6.10<0;1,0>:f  {F@1}
(W&~f3.1) sel (1|M0)  r6.10<1>:f  r4.2<0;1,0>:f  0.0:f
(W)  cmp (1|M0)  (eq)f3.0  null<1>:f  r4.3<0;1,0>:f  -inf:f  {F@2}
add (16|M0)  r78.0<1>:f  r81.0<1;1,0>:f  -r6.10<0;1,0>:f  {F@2}
add (16|M0)  r16.0<1>:f  r16.0<1;1,0>:f  -r6.10<0;1,0>:f
(W)  add (1|M0)  r6.11<1>:f  r2.10<0;1,0>:f  -r6.10<0;1,0>:f
math.exp (16|M0)  r104.0<1>:f  r78.0<1;1,0>:f  {F@3}
math.exp (16|M0)  r81.0<1>:f  r16.0<1;1,0>:f  {F@2}
add (16|M0)  r78.0<1>:f  acc1.0<1;1,0>:f  -r6.10<0;1,0>:f  {M@2}
add (16|M0)  r16.0<1>:f  acc0.0<1;1,0>:f  -r6.10<0;1,0>:f  {M@1}
(W)  math.exp (1|M0)  r3.7<1>:f  r6.11<0;1,0>:f  {F@3}
mov (16|M0)  r99.0<1>:bf  r104.0<1;1,0>:f
math.exp (16|M0)  r87.0<1>:f  r78.0<1;1,0>:f  {F@3}
(W&~f3.0) sel (1|M0)  r6.11<1>:f  r4.3<0;1,0>:f  0.0:f  {M@2}
math.exp (16|M0)  r78.0<1>:f  r16.0<1;1,0>:f  {F@3}
add (16|M0)  r16.0<1>:f  r80.0<1;1,0>:f  -r6.11<0;1,0>:f  {A@1}
add (16|M0)  r15.0<1>:f  r15.0<1;1,0>:f  -r6.11<0;1,0>:f
(W)  add (1|M0)  r6.12<1>:f  r2.11<0;1,0>:f  -r6.11<0;1,0>:f
math.exp (16|M0)  r80.0<1>:f  r16.0<1;1,0>:f  {F@3}
math.exp (16|M0)  r15.0<1>:f  r15.0<1;1,0>:f  {F@2}
add (16|M0)  r16.0<1>:f  r21.0<1;1,0>:f  -r6.11<0;1,0>:f  {M@2}
add (16|M0)  r21.0<1>:f  acc2.0<1;1,0>:f  -r6.11<0;1,0>:f
add (16|M0)  acc0.0<1>:f  r84.0<1;1,0>:f  r83.0<1;1,0>:f  {Compacted}
add (16|M0)  acc1.0<1>:f  r19.0<1;1,0>:f  r18.0<1;1,0>:f  {Compacted}
add (16|M0)  acc2.0<1>:f  r100.0<1;1,0>:f  r101.0<1;1,0>:f  {Compacted}
add (16|M0)  acc3.0<1>:f  r82.0<1;1,0>:f  r103.0<1;1,0>:f  {Compacted}
add (16|M0)  acc4.0<1>:f  r79.0<1;1,0>:f  r136.0<1;1,0>:f  {Compacted}
add (16|M0)  acc5.0<1>:f  r137.0<1;1,0>:f  r138.0<1;1,0>:f  {Compacted}
add (16|M0)  acc6.0<1>:f  r104.0<1;1,0>:f  r81.0<1;1,0>:f  {Compacted}
add (16|M0)  acc7.0<1>:f  r80.0<1;1,0>:f  r15.0<1;1,0>:f  {Compacted,M@1}
math.exp (16|M0)  r16.0<1>:f  r16.0<1;1,0>:f  {F@7}
add (16|M0)  acc0.0<1>:f  r17.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
mov (16|M0)  r99.16<1>:bf  r80.0<1;1,0>:f
add (16|M0)  acc1.0<1>:f  r12.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
mov (16|M0)  r80.0<1>:bf  r13.0<1;1,0>:f
add (16|M0)  acc2.0<1>:f  r13.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted}
(W)  mov (16|M0)  r13.0<1>:ud  0x0:ud  {Compacted,F@1}
add (16|M0)  acc3.0<1>:f  r102.0<1;1,0>:f  acc3.0<1;1,0>:f  {Compacted}
mov (16|M0)  r79.16<1>:bf  r12.0<1;1,0>:f
add (16|M0)  acc4.0<1>:f  r20.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted}
mov (16|M0)  r86.16<1>:bf  r15.0<1;1,0>:f
add (16|M0)  acc5.0<1>:f  r135.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted}
mov (16|M0)  r15.0<1>:bf  r10.0<1;1,0>:f
add (16|M0)  acc6.0<1>:f  r87.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
mov (16|M0)  r15.16<1>:bf  r8.0<1;1,0>:f
add (16|M0)  acc7.0<1>:f  r16.0<1;1,0>:f  acc7.0<1;1,0>:f  {M@1}
(W)  math.exp (1|M0)  r3.6<1>:f  r6.12<0;1,0>:f
add (16|M0)  r13.0<1>:f  r10.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r10.0<1>:ud  0x0:ud  {Compacted,F@1}
add (16|M0)  r10.0<1>:f  r8.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (8|M0)  r12.0<1>:ud  r13.8<1;1,0>:ud  {Compacted}
mov (16|M0)  r82.16<1>:bf  r16.0<1;1,0>:f
(W)  mov (8|M0)  r8.0<1>:ud  r10.8<1;1,0>:ud  {Compacted,F@2}
mov (16|M0)  r16.0<1>:bf  r7.0<1;1,0>:f
(W)  add (8|M0)  r12.0<1>:f  r13.0<1;1,0>:f  r12.0<1;1,0>:f  {Compacted,I@2}
math.exp (16|M0)  r21.0<1>:f  r21.0<1;1,0>:f
(W)  mov (4|M0)  r168.0<1>:ud  r12.4<1;1,0>:ud  {Compacted,F@1}
(W)  add (8|M0)  r8.0<1>:f  r10.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@2}
mov (16|M0)  r79.0<1>:bf  r17.0<1;1,0>:f
mov (16|M0)  r16.16<1>:bf  r9.0<1;1,0>:f
(W)  add (4|M0)  r168.0<1>:f  r12.0<1;1,0>:f  r168.0<1;1,0>:f  {I@1}
mov (16|M0)  r17.0<1>:bf  r11.0<1;1,0>:f
mov (16|M0)  r17.16<1>:bf  r14.0<1;1,0>:f
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f  {A@2}
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
(W)  mov (4|M0)  r168.0<1>:ud  r8.4<1;1,0>:ud  {Compacted,F@1}
mul (16|M0)  r13.0<1>:f  r94.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r91.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
(W)  add (4|M0)  r168.0<1>:f  r8.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r8.0<1>:ud  0x0:ud  {Compacted,F@1}
add (16|M0)  r8.0<1>:f  r7.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted,I@1}
(W)  add (1|M0)  r6.12<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
mul (16|M0)  r12.0<1>:f  r93.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
(W)  mov (8|M0)  r7.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@4}
(W)  add (1|M0)  r1.8<1>:f  r6.9<0;1,0>:f  r6.12<0;1,0>:f  {F@3}
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f
mov (16|M0)  r83.0<1>:bf  r83.0<1;1,0>:f
(W)  add (8|M0)  r7.0<1>:f  r8.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r8.0<1>:ud  0x0:ud  {Compacted,F@1}
add (16|M0)  r8.0<1>:f  r9.0<1;1,0>:f  acc3.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {Compacted}
(W)  add (1|M0)  r113.14<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f
mul (16|M0)  r9.0<1>:f  r90.0<1;1,0>:f  r4.10<0;1,0>:f
mov (16|M0)  r86.0<1>:bf  r81.0<1;1,0>:f
(W)  add (4|M0)  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (8|M0)  r7.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@1}
mov (16|M0)  r84.0<1>:bf  r101.0<1;1,0>:f
mov (16|M0)  r84.16<1>:bf  r103.0<1;1,0>:f
(W)  add (8|M0)  r7.0<1>:f  r8.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@1}
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
(W)  mov (16|M0)  r8.0<1>:ud  0x0:ud  {Compacted,F@3}
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@1}
add (16|M0)  r8.0<1>:f  r11.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted,I@2}
(W)  add (1|M0)  r7.10<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f
mul (16|M0)  r11.0<1>:f  r92.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
(W)  add (4|M0)  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (8|M0)  r7.0<1>:ud  r8.8<1;1,0>:ud  {F@1}
(W)  add (1|M0)  r1.10<1>:f  r6.5<0;1,0>:f  r7.10<0;1,0>:f
mov (16|M0)  r83.16<1>:bf  r18.0<1;1,0>:f
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f
(W)  add (8|M0)  r7.0<1>:f  r8.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@1}
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
(W)  mov (16|M0)  r8.0<1>:ud  0x0:ud  {Compacted,F@2}
add (16|M0)  r8.0<1>:f  r14.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@2}
(W)  add (1|M0)  r7.9<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f
mul (16|M0)  r14.0<1>:f  r95.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
mov (16|M0)  r82.0<1>:bf  r87.0<1;1,0>:f
(W)  add (4|M0)  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (8|M0)  r7.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@1}
(W)  add (1|M0)  r1.11<1>:f  r6.6<0;1,0>:f  r7.9<0;1,0>:f
mov (16|M0)  r80.16<1>:bf  r102.0<1;1,0>:f
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f
(W)  add (8|M0)  r7.0<1>:f  r8.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@1}
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
(W)  mov (16|M0)  r8.0<1>:ud  0x0:ud  {Compacted,F@2}
add (16|M0)  r8.0<1>:f  r78.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {F@2}
(W)  add (1|M0)  r7.8<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f
mov (16|M0)  r81.0<1>:bf  r20.0<1;1,0>:f
mov (16|M0)  r81.16<1>:bf  r135.0<1;1,0>:f
(W)  add (4|M0)  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (8|M0)  r7.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@1}
(W)  add (1|M0)  r1.12<1>:f  r6.7<0;1,0>:f  r7.8<0;1,0>:f
mov (16|M0)  r18.0<1>:bf  r78.0<1;1,0>:f
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f
(W)  add (8|M0)  r7.0<1>:f  r8.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@1}
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
(W)  mov (16|M0)  r8.0<1>:ud  0x0:ud  {Compacted,F@2}
add (16|M0)  r8.0<1>:f  r21.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted,A@1}
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@2}
(W)  add (1|M0)  r6.15<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f
mov (16|M0)  r18.16<1>:bf  r21.0<1;1,0>:f
(W)  mul (1|M0)  r6.10<1>:f  r1.14<0;1,0>:f  r3.7<0;1,0>:f
(W)  add (4|M0)  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (8|M0)  r7.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@1}
(W)  mul (1|M0)  r6.11<1>:f  r1.15<0;1,0>:f  r3.6<0;1,0>:f
(W)  mov (4|M0)  r115.0<1>:ud  r4.0<1;1,0>:ud
(W)  add (1|M0)  r1.9<1>:f  r6.4<0;1,0>:f  r113.14<0;1,0>:f
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f
(W)  add (8|M0)  r7.0<1>:f  r8.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted,I@2}
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
mul (16|M0)  r8.0<1>:f  r89.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
(W)  add (1|M0)  r1.13<1>:f  r6.8<0;1,0>:f  r6.15<0;1,0>:f
(W)  mov (4|M0)  r168.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@3}
(W)  add (1|M0)  r6.14<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f
(W)  add (4|M0)  r168.0<1>:f  r7.0<1;1,0>:f  r168.0<1;1,0>:f  {Compacted,I@1}
mul (16|M0)  r7.0<1>:f  r88.0<1;1,0>:f  r4.13<0;1,0>:f
(W)  add (1|M0)  r1.14<1>:f  r6.10<0;1,0>:f  r6.14<0;1,0>:f  {F@3}
(W)  add (1|M0)  r6.12<1>:f  r168.0<0;1,0>:f  r168.2<0;1,0>:f  {F@3}
sync.nop  null  {Compacted,F@3}
sync.nop  null  {Compacted,$15.dst}
dpas.8x8 (16|M0)  r88:f  r7:f  r206:bf  r96.0:bf  {Compacted,$31}
sync.nop  null  {Compacted,$31.src}
mul (16|M0)  r7.0<1>:f  r70.0<1;1,0>:f  r4.13<0;1,0>:f  {$10.dst}
mul (16|M0)  r8.0<1>:f  r71.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r72.0<1;1,0>:f  r4.10<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r73.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r74.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r75.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r76.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r77.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
dpas.8x8 (16|M0)  r88:f  r88:f  r214:bf  r83.0:bf  {Compacted,$31}
(W)  add (1|M0)  r6.13<1>:f  r168.1<0;1,0>:f  r168.3<0;1,0>:f
sync.nop  null  {Compacted,F@2}
dpas.8x8 (16|M0)  r70:f  r7:f  r222:bf  r96.0:bf  {Compacted,$0}
mul (16|M0)  r7.0<1>:f  r62.0<1;1,0>:f  r4.13<0;1,0>:f  {$0.src}
mul (16|M0)  r8.0<1>:f  r63.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r64.0<1;1,0>:f  r4.10<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r65.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r66.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r67.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
sync.allwr  ($0,$31)
dpas.8x8 (16|M0)  r88:f  r88:f  r170:bf  r79.0:bf  {Atomic,Compacted,$30.dst}
dpas.8x8 (16|M0)  r70:f  r70:f  r230:bf  r83.0:bf  {Compacted,$30}
sync.nop  null  {Compacted,$30.src}
send.ugm (1|M0)  r210  r112  null:0  0x20000  0x03F00283  {$1} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x20,0x0)]
mul (16|M0)  r13.0<1>:f  r68.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r69.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
(W)  add (1|M0)  r6.9<1>:f  r6.12<0;1,0>:f  r6.13<0;1,0>:f  {F@7}
(W)  add (1|M0)  r1.15<1>:f  r6.11<0;1,0>:f  r6.9<0;1,0>:f  {F@1}
dpas.8x8 (16|M0)  r88:f  r88:f  r178:bf  r15.0:bf  {Atomic,Compacted,$30.dst}
dpas.8x8 (16|M0)  r70:f  r70:f  r186:bf  r79.0:bf  {Compacted,$30}
sync.nop  null  {Compacted,$30.dst}
dpas.8x8 (16|M0)  r70:f  r70:f  r194:bf  r15.0:bf  {Compacted,$10}
sync.nop  null  {Compacted,$10.src}
send.ugm (1|M0)  r170  r112  null:0  0x8020000  0x03F00283  {$2} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x20,0x20)]
dpas.8x8 (16|M0)  r62:f  r7:f  r210:bf  r96.0:bf  {Compacted,$1}
sync.nop  null  {Compacted,$1.src}
mul (16|M0)  r7.0<1>:f  r54.0<1;1,0>:f  r4.13<0;1,0>:f  {$12.dst}
mul (16|M0)  r8.0<1>:f  r55.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r56.0<1;1,0>:f  r4.10<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r57.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r58.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r59.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r60.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r61.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r62:f  r62:f  r218:bf  r83.0:bf  {Atomic,Compacted,$1.dst}
dpas.8x8 (16|M0)  r54:f  r7:f  r226:bf  r96.0:bf  {Compacted,$1}
mul (16|M0)  r7.0<1>:f  r46.0<1;1,0>:f  r4.13<0;1,0>:f  {$1.src}
mul (16|M0)  r8.0<1>:f  r47.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r48.0<1;1,0>:f  r4.10<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r49.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r50.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r51.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,$1.dst}
dpas.8x8 (16|M0)  r62:f  r62:f  r170:bf  r79.0:bf  {Atomic,Compacted,$2.dst}
dpas.8x8 (16|M0)  r54:f  r54:f  r234:bf  r83.0:bf  {Compacted,$2}
sync.nop  null  {Compacted,$2.src}
send.ugm (1|M0)  r206  r112  null:0  0x40000  0x03F00283  {$7} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x40,0x0)]
mul (16|M0)  r13.0<1>:f  r52.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r53.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
dpas.8x8 (16|M0)  r62:f  r62:f  r178:bf  r15.0:bf  {Atomic,Compacted,$2.dst}
dpas.8x8 (16|M0)  r54:f  r54:f  r186:bf  r79.0:bf  {Compacted,$2}
sync.nop  null  {Compacted,$2.dst}
dpas.8x8 (16|M0)  r54:f  r54:f  r194:bf  r15.0:bf  {Compacted,$12}
sync.nop  null  {Compacted,$12.src}
send.ugm (1|M0)  r170  r112  null:0  0x8040000  0x03F00283  {$13} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x40,0x20)]
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r46:f  r7:f  r206:bf  r96.0:bf  {Compacted,$7}
sync.nop  null  {Compacted,$7.src}
mul (16|M0)  r7.0<1>:f  r38.0<1;1,0>:f  r4.13<0;1,0>:f  {$9.dst}
mul (16|M0)  r8.0<1>:f  r39.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r40.0<1;1,0>:f  r4.10<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r41.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r42.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r43.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r44.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r45.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r46:f  r46:f  r214:bf  r83.0:bf  {Atomic,Compacted,$7.dst}
dpas.8x8 (16|M0)  r38:f  r7:f  r222:bf  r96.0:bf  {Compacted,$7}
mul (16|M0)  r7.0<1>:f  r30.0<1;1,0>:f  r4.13<0;1,0>:f  {$7.src}
mul (16|M0)  r8.0<1>:f  r31.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r32.0<1;1,0>:f  r4.10<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r33.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r34.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r35.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,$7.dst}
dpas.8x8 (16|M0)  r46:f  r46:f  r170:bf  r79.0:bf  {Atomic,Compacted,$13.dst}
dpas.8x8 (16|M0)  r38:f  r38:f  r230:bf  r83.0:bf  {Compacted,$13}
sync.nop  null  {Compacted,$13.src}
send.ugm (1|M0)  r210  r112  null:0  0x60000  0x03F00283  {$14} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x60,0x0)]
mul (16|M0)  r13.0<1>:f  r36.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r37.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
dpas.8x8 (16|M0)  r46:f  r46:f  r178:bf  r15.0:bf  {Atomic,Compacted,$13.dst}
dpas.8x8 (16|M0)  r38:f  r38:f  r186:bf  r79.0:bf  {Compacted,$13}
sync.nop  null  {Compacted,$13.dst}
dpas.8x8 (16|M0)  r38:f  r38:f  r194:bf  r15.0:bf  {Compacted,$9}
sync.nop  null  {Compacted,$9.src}
send.ugm (1|M0)  r170  r112  null:0  0x8060000  0x03F00283  {$15} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x60,0x20)]
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r30:f  r7:f  r210:bf  r96.0:bf  {Compacted,$14}
sync.nop  null  {Compacted,$14.src}
mul (16|M0)  r7.0<1>:f  r22.0<1;1,0>:f  r4.13<0;1,0>:f  {$11.dst}
mul (16|M0)  r8.0<1>:f  r23.0<1;1,0>:f  r4.11<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r24.0<1;1,0>:f  r4.10<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r25.0<1;1,0>:f  r4.7<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r26.0<1;1,0>:f  r3.15<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r27.0<1;1,0>:f  r3.14<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r28.0<1;1,0>:f  r3.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r29.0<1;1,0>:f  r3.6<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r30:f  r30:f  r218:bf  r83.0:bf  {Atomic,Compacted,$14.dst}
dpas.8x8 (16|M0)  r22:f  r7:f  r226:bf  r96.0:bf  {Compacted,$14}
sync.nop  null  {Compacted,$14.dst}
dpas.8x8 (16|M0)  r30:f  r30:f  r170:bf  r79.0:bf  {Atomic,Compacted,$15.dst}
dpas.8x8 (16|M0)  r22:f  r22:f  r234:bf  r83.0:bf  {Compacted,$15}
dpas.8x8 (16|M0)  r30:f  r30:f  r178:bf  r15.0:bf  {Atomic,Compacted,$15.dst}
dpas.8x8 (16|M0)  r22:f  r22:f  r186:bf  r79.0:bf  {Compacted,$15}
sync.nop  null  {Compacted,$15.dst}
dpas.8x8 (16|M0)  r22:f  r22:f  r194:bf  r15.0:bf  {Compacted,$11}
(W&f1.1) jmpi  L12720
L12544:
(W)  mov (1|M0)  r4.14<1>:d  r113.10<0;1,0>:d
(W)  mov (1|M0)  r2.12<1>:f  r6.0<0;1,0>:f
(W)  mov (1|M0)  r2.13<1>:f  r6.1<0;1,0>:f
(W)  mov (1|M0)  r2.14<1>:f  r6.2<0;1,0>:f
(W)  mov (1|M0)  r2.15<1>:f  r6.3<0;1,0>:f
(W)  mov (1|M0)  r2.8<1>:f  r4.0<0;1,0>:f
(W)  mov (1|M0)  r2.9<1>:f  r4.1<0;1,0>:f
(W)  mov (1|M0)  r2.10<1>:f  r4.2<0;1,0>:f
(W)  mov (1|M0)  r2.11<1>:f  r4.3<0;1,0>:f
(W)  mov (1|M0)  r113.8<1>:d  r113.9<0;1,0>:d
(W)  jmpi  L4128
L12720:
(W)  mov (1|M0)  r112.12<1>:f  r117.0<0;1,0>:f
(W)  mov (1|M0)  r112.13<1>:f  r117.1<0;1,0>:f
(W)  mov (1|M0)  r112.14<1>:f  r117.2<0;1,0>:f
(W)  mov (1|M0)  r112.15<1>:f  r117.3<0;1,0>:f
(W)  mov (1|M0)  r113.0<1>:ud  r115.0<0;1,0>:ud
(W)  mov (1|M0)  r113.1<1>:ud  r115.1<0;1,0>:ud
(W)  mov (1|M0)  r113.2<1>:ud  r115.2<0;1,0>:ud
(W)  mov (1|M0)  r113.3<1>:ud  r115.3<0;1,0>:ud
L12848:
(W)  sel (1|M0)  (ge)f0.0  r3.6<1>:d  r145.0<0;1,0>:d  r118.2<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r4.10<0;1,0>:uw
(W)  add (1|M0)  r118.8<1>:d  r4.4<0;1,0>:d  -1:w
(W)  mov (1|M0)  r2.2<1>:ud  255:w  {$8.src}
(W)  mov (1|M0)  r2.6<1>:ud  r4.15<0;1,0>:d
(W)  add (1|M0)  r4.7<1>:d  r3.6<0;1,0>:d  -r118.2<0;1,0>:d {I@5}
(W)  add3 (1|M0)  r3.6<1>:d  r145.0<0;0>:d  r113.12<0;0>:d  -r118.2<0>:d
(W)  macl (1|M0)  r145.0<1>:ud  r118.13<0;1,0>:ud  r4.5<0;1,0>:ud
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r4.10<0;1,0>:uw
(W)  mov (1|M0)  r2.7<1>:ud  0x1F1F:uw
(W)  shl (1|M0)  r113.5<1>:d  r4.7<0;1,0>:d  6:w  {I@5}
(W)  sel (1|M0)  (lt)f0.0  r145.9<1>:d  r3.6<0;1,0>:d  r113.13<0;1,0>:d {I@5}
(W)  asr (1|M0)  r3.6<1>:d  r4.5<0;1,0>:d  31:w
(W)  mach (1|M0)  r168.0<1>:d  r118.13<0;1,0>:ud  r4.5<0;1,0>:ud
(W)  add (1|M0)  r2.5<1>:ud  r118.10<0;1,0>:d  r113.5<0;1,0>:d  {I@4}
(W)  cmp (16|M0)  (lt)f2.1  null<1>:d  r4.7<0;1,0>:d  r145.9<0;1,0>:d  {I@4}
(W)  mul (1|M0)  acc0.0<1>:d  r118.13<0;1,0>:ud  r3.12<0;1,0>:uw {I@4}
(W)  macl (1|M0)  r118.0<1>:d  r118.13<0;1,0>:ud  r3.6<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r4.5<0;1,0>:ud  r145.10<0;1,0>:uw
(W)  add (1|M0)  r168.0<1>:d  r168.0<0;1,0>:d  r118.0<0;1,0>:d  {I@2}
(W)  macl (1|M0)  r118.0<1>:d  r4.5<0;1,0>:ud  r145.5<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r118.12<0;1,0>:d  r4.12<0;1,0>:uw
(W)  add (1|M0)  r145.1<1>:d  r168.0<0;1,0>:d  r118.0<0;1,0>:d  {Compacted,I@2}
(W)  macl (1|M0)  r118.0<1>:d  r118.12<0;1,0>:d  r4.6<0;1,0>:d  {Compacted}
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r4.18<0;1,0>:uw
(W)  macl (1|M0)  r7.0<1>:ud  r118.13<0;1,0>:ud  r4.9<0;1,0>:ud
(W)  add (1|M0)  r3.3<1>:q  r145.0<0;1,0>:q  r118.0<0;1,0>:d  {I@3}
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  r4.18<0;1,0>:uw
(W)  mach (1|M0)  r145.0<1>:d  r118.13<0;1,0>:ud  r4.9<0;1,0>:ud
(W)  shl (1|M0)  r3.3<1>:q  r3.3<0;1,0>:q  1:w  {I@3}
(W)  add (1|M0)  r144.3<1>:q  r3.3<0;1,0>:q  r3.0<0;1,0>:q  {I@1}
(W)  asr (1|M0)  r3.0<1>:d  r4.9<0;1,0>:d  31:w
(W)  add (1|M0)  r118.7<1>:q  r3.3<0;1,0>:q  r3.1<0;1,0>:q
(W)  mov (1|M0)  r2.0<1>:uq  r144.3<0;1,0>:q  {I@3}
(W)  mul (1|M0)  acc0.0<1>:d  r118.13<0;1,0>:ud  r3.0<0;1,0>:uw  {I@3}
(W)  macl (1|M0)  r3.0<1>:d  r118.13<0;1,0>:ud  r3.0<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r4.9<0;1,0>:ud  r145.10<0;1,0>:uw
(W)  add (1|M0)  r145.0<1>:d  r145.0<0;1,0>:d  r3.0<0;1,0>:d  {I@2}
(W)  macl (1|M0)  r3.0<1>:d  r4.9<0;1,0>:ud  r145.5<0;1,0>:d
(W)  add (1|M0)  r3.2<1>:d  r145.0<0;1,0>:d  r3.0<0;1,0>:d  {Compacted,I@1}
(W)  shl (1|M0)  r3.0<1>:d  r4.8<0;1,0>:d  1:w  {Compacted}
(W)  add (1|M0)  r118.9<1>:d  r3.0<0;1,0>:d  -1:w  {I@1}
(W)  mov (2|M0)  r2.3<1>:ud  r118.8<1;1,0>:d  {I@1}
send.ugm (1|M0)  null  r2  null:0  0x0  0x02080203  {A@1,$16} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
(W)  or (1|M0)  r2.6<1>:ud  r113.5<0;1,0>:d  r4.15<0;1,0>:d  {$16.src}
(W)  mov (1|M0)  r2.0<1>:uq  r118.7<0;1,0>:q
(W)  mov (1|M0)  r2.2<1>:ud  255:w
(W)  mov (2|M0)  r2.3<1>:ud  r118.8<1;1,0>:d
(W)  mov (1|M0)  r2.5<1>:ud  r118.10<0;1,0>:d
(W)  mov (1|M0)  r2.7<1>:ud  0x1F1F:uw
send.ugm (1|M0)  null  r2  null:0  0x0  0x02080203  {I@1,$17} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
(W&f2.1) jmpi  L13792
L13648:
(W)  mov (1|M0)  r145.13<1>:f  r112.12<0;1,0>:f  {F@4}
(W)  mov (1|M0)  r168.0<1>:f  r112.13<0;1,0>:f  {F@4}
(W)  mov (1|M0)  r145.15<1>:f  r112.14<0;1,0>:f  {F@4}
(W)  mov (1|M0)  r145.14<1>:f  r112.15<0;1,0>:f  {F@4}
(W)  mov (1|M0)  r168.1<1>:f  r113.0<0;1,0>:f
(W)  mov (1|M0)  r168.4<1>:f  r113.1<0;1,0>:f
(W)  mov (1|M0)  r168.3<1>:f  r113.2<0;1,0>:f
(W)  mov (1|M0)  r168.2<1>:f  r113.3<0;1,0>:f
(W)  jmpi  L23904
L13792:
or (16|M0)  r2.0<1>:d  r114.0<1;1,0>:d  r144.0<0;1,0>:d  {Compacted,$17.src}
(W)  mov (1|M0)  r113.12<1>:hf  0x1:hf
(W)  mov (1|M0)  r3.0<1>:f  r7.0<0;1,0>:f  {Compacted}
(W)  mov (1|M0)  r113.8<1>:hf  0x2:hf
cmp (16|M0)  (lt)f2.0  null<1>:d  r2.0<1;1,0>:d  3:w  {Compacted,I@1}
shl (16|M0)  r7.0<1>:d  r113.12<0;1,0>:w  r2.0<1;1,0>:d  {F@2}
or (16|M0)  r9.0<1>:d  r2.0<1;1,0>:d  2:w  {Compacted}
or (16|M0)  r8.0<1>:d  r2.0<1;1,0>:d  1:w  {Compacted}
(f2.0)  sel (16|M0)  r138.0<1>:d  r7.0<1;1,0>:d  1:w  {Compacted,I@3}
shl (16|M0)  r7.0<1>:d  r113.8<0;1,0>:w  r2.0<1;1,0>:d  {F@1}
(W)  mov (1|M0)  r113.8<1>:hf  0x4:hf  {I@1}
cmp (16|M0)  (lt)f1.0  null<1>:d  r9.0<1;1,0>:d  3:w
bfn.0xFE (16|M0)  r6.0<1>:ud  r114.0<1;0>:ud  r145.11<0;0>:ud  r144.0<0>:ud  {$6.src} // s0|s1|s2
shl (16|M0)  r2.0<1>:d  r113.8<0;1,0>:w  r2.0<1;1,0>:d  {F@1}
(W)  cmp (1|M0)  (gt)f3.0  r113.4<1>:d  r144.0<0;1,0>:d  -1:w
(W)  mov (1|M0)  r3.1<1>:d  r3.2<0;1,0>:d
cmp (16|M0)  (lt)f1.1  null<1>:d  r8.0<1;1,0>:d  3:w
cmp (16|M0)  (lt)f0.1  null<1>:d  r6.0<1;1,0>:d  3:w  {I@5}
(f1.0)  sel (16|M0)  r136.0<1>:d  r2.0<1;1,0>:d  1:w  {Compacted,I@5}
(W)  shl (1|M0)  r3.0<1>:q  r3.0<0;1,0>:q  3:w  {Compacted,I@4}
(W)  mov (1|M0)  r118.11<1>:d  -r113.4<0;1,0>:d
shl (16|M0)  r2.0<1>:d  r113.12<0;1,0>:w  r6.0<1;1,0>:d
(W)  and (1|M0)  r113.4<1>:d  r118.14<0;1,0>:d  62:w
(W)  and (1|M0)  r113.6<1>:d  r144.6<0;1,0>:d  62:w
(f1.1)  sel (16|M0)  r137.0<1>:d  r7.0<1;1,0>:d  1:w  {Compacted}
(W)  add (1|M0)  r3.7<1>:q  r3.0<0;1,0>:q  r3.2<0;1,0>:q  {I@6}
(f0.1)  sel (16|M0)  r135.0<1>:d  r2.0<1;1,0>:d  1:w  {Compacted,I@5}
(W)  mov (1|M0)  r3.3<1>:d  r118.8<0;1,0>:d
(W)  mov (1|M0)  r3.3<1>:uq  0xF0700000000:uq
(W)  mov (1|M0)  r118.0<1>:q  r118.7<0;1,0>:q
(W)  mov (1|M0)  r118.3<1>:d  r118.8<0;1,0>:d
(W)  mov (1|M0)  r118.4<1>:d  r118.9<0;1,0>:d
(W)  mov (1|M0)  r118.6<1>:d  0:w
(W)  mov (1|M0)  r118.7<1>:f  1.02977e-40:f
(W)  mov (1|M0)  r4.5<1>:f  r113.5<0;1,0>:f
(W)  mov (1|M0)  r144.15<1>:f  r112.12<0;1,0>:f
(W)  mov (1|M0)  r144.14<1>:f  r112.13<0;1,0>:f
(W)  mov (1|M0)  r144.13<1>:f  r112.14<0;1,0>:f
(W)  mov (1|M0)  r144.12<1>:f  r112.15<0;1,0>:f
(W)  mov (1|M0)  r144.11<1>:f  r113.0<0;1,0>:f
(W)  mov (1|M0)  r144.10<1>:f  r113.1<0;1,0>:f
(W)  mov (1|M0)  r144.9<1>:f  r113.2<0;1,0>:f
(W)  mov (1|M0)  r144.8<1>:f  r113.3<0;1,0>:f
(W)  shr (1|M0)  r118.5<1>:ud  r113.4<0;1,0>:ud  1:w  {I@7}
(W)  add (1|M0)  r118.2<1>:d  r113.4<0;1,0>:d  255:w
(W)  mov (1|M0)  r3.0<1>:q  r144.3<0;1,0>:q
(W)  mov (1|M0)  r3.4<1>:d  r118.9<0;1,0>:d
(W)  shr (1|M0)  r3.5<1>:ud  r113.6<0;1,0>:ud  2:w
(W)  add (1|M0)  r3.2<1>:d  r113.6<0;1,0>:d  255:w
L14496:
(W)  add3 (1|M0)  r2.5<1>:ud  r118.10<0;0>:d  r4.5<0;0>:d  64:w  {F@7}
(W)  mov (1|M0)  r2.0<1>:uq  r144.3<0;1,0>:q
(W)  mov (1|M0)  r2.2<1>:ud  255:w
(W)  mov (1|M0)  r2.3<1>:ud  r118.8<0;1,0>:d
(W)  mov (1|M0)  r2.4<1>:ud  r118.9<0;1,0>:d
(W)  mov (1|M0)  r2.6<1>:ud  r4.15<0;1,0>:d
(W)  mov (1|M0)  r2.7<1>:ud  0x1F1F:uw
(W)  add (1|M0)  r145.4<1>:d  r4.5<0;1,0>:d  64:w
(W)  shl (1|M0)  r168.7<1>:d  r4.7<0;1,0>:d  6:w
(W)  mov (1|M0)  r3.6<1>:d  r4.5<0;1,0>:d
(W)  mov (1|M0)  r118.6<1>:d  r4.5<0;1,0>:d
send.ugm (1|M0)  null  r2  null:0  0x0  0x02080203  {I@5,$22} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
(W)  or (1|M0)  r2.6<1>:ud  r145.4<0;1,0>:d  r4.15<0;1,0>:d  {@4,$22.src}
(W)  mov (1|M0)  r2.0<1>:uq  r118.7<0;1,0>:q
(W)  mov (1|M0)  r2.2<1>:ud  255:w
(W)  mov (1|M0)  r2.3<1>:ud  r118.8<0;1,0>:d
(W)  mov (1|M0)  r2.4<1>:ud  r118.9<0;1,0>:d
(W)  mov (1|M0)  r2.5<1>:ud  r118.10<0;1,0>:d
(W)  mov (1|M0)  r2.7<1>:ud  0x1F1F:uw
bfn.0xFE (16|M0)  r86.0<1>:ud  r116.0<1;0>:ud  r145.7<0;0>:ud  r168.7<0>:ud  {I@7} // s0|s1|s2
bfn.0xFE (16|M0)  r112.0<1>:ud  r116.0<1;0>:ud  r145.8<0;0>:ud  r168.7<0>:ud  {F@5} // s0|s1|s2
send.ugm (1|M0)  null  r2  null:0  0x0  0x02080203  {I@3,$23} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
or (16|M0)  r2.0<1>:d  r168.7<0;1,0>:d  r116.0<1;1,0>:d  {$23.src}
sel (16|M0)  (lt)f0.0  r10.0<1>:d  r86.0<1;1,0>:d  r118.8<0;1,0>:d  {Compacted,I@3}
sel (16|M0)  (lt)f0.0  r11.0<1>:d  r112.0<1;1,0>:d  r118.8<0;1,0>:d  {Compacted,I@3}
sel (16|M0)  (lt)f0.0  r8.0<1>:d  r2.0<1;1,0>:d  r118.8<0;1,0>:d  {I@3}
bfn.0xFE (16|M0)  r113.0<1>:ud  r116.0<1;0>:ud  r145.6<0;0>:ud  r168.7<0>:ud  {F@1} // s0|s1|s2
send.ugm (1|M0)  r104  r3  null:0  0xC000000  0x02808403  {$24} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x0,0x30)]
mov (16|M0)  r6.0<2>:ud  r8.0<1;1,0>:ud  {Compacted,I@2}
sel (16|M0)  (lt)f0.0  r12.0<1>:d  r113.0<1;1,0>:d  r118.8<0;1,0>:d  {Compacted,I@2}
send.ugm (1|M0)  r206  r118  null:0  0x0  0x03F00283  {$25} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64
shl (16|M0)  r8.0<1>:q  r6.0<2;1,0>:d  3:w  {I@2}
sync.allrd  ($11,$21)
send.ugm (1|M0)  r170  r118  null:0  0x8000000  0x03F00283  {$26} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x0,0x20)]
(W)  add (1|M0)  r4.7<1>:d  r4.7<0;1,0>:d  1:w
add (16|M0)  r6.0<1>:q  r3.7<0;1,0>:q  r8.0<1;1,0>:q  {I@2}
(W)  cmp (16|M0)  (eq)f0.1  null<1>:d  r4.7<0;1,0>:d  r145.9<0;1,0>:d  {I@2}
send.ugm (16|M0)  r87  r6  null:0  0x0  0x04100580  {I@2,$27} // wr:2+0, rd:1; load.ugm.d32.a64
mov (16|M0)  r6.0<2>:ud  r10.0<1;1,0>:ud  {Compacted,$27.src}
shl (16|M0)  r8.0<1>:q  r6.0<2;1,0>:d  3:w  {I@1}
add (16|M0)  r6.0<1>:q  r3.7<0;1,0>:q  r8.0<1;1,0>:q  {Compacted,I@1}
send.ugm (16|M0)  r114  r6  null:0  0x0  0x04100580  {I@1,$28} // wr:2+0, rd:1; load.ugm.d32.a64
mov (16|M0)  r6.0<2>:ud  r11.0<1;1,0>:ud  {Compacted,$28.src}
shl (16|M0)  r8.0<1>:q  r6.0<2;1,0>:d  3:w  {I@1}
add (16|M0)  r6.0<1>:q  r3.7<0;1,0>:q  r8.0<1;1,0>:q  {Compacted,I@1}
send.ugm (16|M0)  r115  r6  null:0  0x0  0x04100580  {I@1,$29} // wr:2+0, rd:1; load.ugm.d32.a64
mov (16|M0)  r6.0<2>:ud  r12.0<1;1,0>:ud  {Compacted,$29.src}
shl (16|M0)  r8.0<1>:q  r6.0<2;1,0>:d  3:w  {I@1}
add (16|M0)  r6.0<1>:q  r3.7<0;1,0>:q  r8.0<1;1,0>:q  {Compacted,I@1}
send.ugm (16|M0)  r117  r6  null:0  0x0  0x04100580  {I@1,$30} // wr:2+0, rd:1; load.ugm.d32.a64
sync.nop  null  {$30.src}
send.ugm (1|M0)  r6  r3  null:0  0x0  0x02808403  {$31} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64
and (16|M0)  (ne)f2.0  null<1>:d  r87.0<1;1,0>:d  r138.0<1;1,0>:d  {$27.dst}
and (16|M0)  (ne)f1.1  null<1>:d  r87.0<1;1,0>:d  r137.0<1;1,0>:d
and (16|M0)  (ne)f0.0  null<1>:d  r87.0<1;1,0>:d  r136.0<1;1,0>:d
and (16|M0)  (ne)f3.1  null<1>:d  r87.0<1;1,0>:d  r118.11<0;1,0>:d
(f2.0)  cmp (16|M0)  (lt)f2.0  null<1>:d  r2.0<1;1,0>:d  r4.4<0;1,0>:d
(f1.1)  cmp (16|M0)  (lt)f1.1  null<1>:d  r2.0<1;1,0>:d  r4.4<0;1,0>:d
(f0.0)  cmp (16|M0)  (lt)f0.0  null<1>:d  r2.0<1;1,0>:d  r4.4<0;1,0>:d
(f3.1)  cmp (16|M0)  (lt)f3.1  null<1>:d  r2.0<1;1,0>:d  r4.4<0;1,0>:d
and (16|M0)  (ne)f3.0  null<1>:d  r114.0<1;1,0>:d  r118.11<0;1,0>:d {$28.dst}
(f3.0)  cmp (16|M0)  (lt)f3.0  null<1>:d  r86.0<1;1,0>:d  r4.4<0;1,0>:d
and (16|M0)  (ne)f2.1  null<1>:d  r115.0<1;1,0>:d  r118.11<0;1,0>:d {$29.dst}
(f2.1)  cmp (16|M0)  (lt)f2.1  null<1>:d  r112.0<1;1,0>:d  r4.4<0;1,0>:d
and (16|M0)  (ne)f1.0  null<1>:d  r117.0<1;1,0>:d  r118.11<0;1,0>:d {$30.dst}
sync.nop  null  {Compacted,$3.dst}
dpas.8x8 (16|M0)  r96:f  null:f  r6:bf  r159.0:bf  {$31}
sync.nop  null  {Compacted,$31.src}
send.ugm (1|M0)  r6  r3  null:0  0x4000000  0x02808403  {$0} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x0,0x10)]
(f1.0)  cmp (16|M0)  (lt)f1.0  null<1>:d  r113.0<1;1,0>:d  r4.4<0;1,0>:d
dpas.8x8 (16|M0)  r78:f  null:f  r6:bf  r159.0:bf  {$0}
sync.nop  null  {$0.src}
send.ugm (1|M0)  r6  r3  null:0  0x8000000  0x02808403  {$1} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x0,0x20)]
sync.nop  null  {Compacted,$1.dst}
dpas.8x8 (16|M0)  r14:f  null:f  r6:bf  r159.0:bf  {Atomic,$24.dst}
dpas.8x8 (16|M0)  r6:f  null:f  r104:bf  r159.0:bf  {$24}
sync.nop  null  {Compacted,$24.src}
send.ugm (1|M0)  r104  r3  null:0  0x8000  0x02808403  {$2} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x0)]
sync.nop  null  {Compacted,$2.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r104:bf  r163.0:bf  {Compacted,$31}
sync.nop  null  {Compacted,$31.src}
send.ugm (1|M0)  r104  r3  null:0  0x4008000  0x02808403  {$7} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x10)]
sync.nop  null  {Compacted,$7.dst}
dpas.8x8 (16|M0)  r78:f  r78:f  r104:bf  r163.0:bf  {Compacted,$0}
sync.nop  null  {Compacted,$0.src}
send.ugm (1|M0)  r104  r3  null:0  0x8008000  0x02808403  {$8} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x20)]
sync.nop  null  {Compacted,$8.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r104:bf  r163.0:bf  {Compacted,$24}
sync.nop  null  {$24.src}
send.ugm (1|M0)  r104  r3  null:0  0xC008000  0x02808403  {$13} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x8,0x30)]
dpas.8x8 (16|M0)  r6:f  r6:f  r104:bf  r163.0:bf  {Compacted,$13}
sync.nop  null  {Compacted,$13.src}
send.ugm (1|M0)  r104  r3  null:0  0x10000  0x02808403  {$14} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x0)]
sync.allwr  ($4,$14)
dpas.8x8 (16|M0)  r96:f  r96:f  r104:bf  r151.0:bf  {Compacted,$31}
sync.nop  null  {Compacted,$31.src}
send.ugm (1|M0)  r104  r3  null:0  0x4010000  0x02808403  {$15} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x10)]
sync.nop  null  {Compacted,$15.dst}
dpas.8x8 (16|M0)  r78:f  r78:f  r104:bf  r151.0:bf  {Compacted,$0}
sync.nop  null  {$0.src}
send.ugm (1|M0)  r104  r3  null:0  0x8010000  0x02808403  {$16} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x20)]
sync.nop  null  {Compacted,$16.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r104:bf  r151.0:bf  {Compacted,$24}
sync.nop  null  {Compacted,$24.src}
send.ugm (1|M0)  r104  r3  null:0  0xC010000  0x02808403  {$22} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x10,0x30)]
sync.nop  null  {Compacted,$22.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r104:bf  r151.0:bf  {Compacted,$13}
sync.nop  null  {Compacted,$13.src}
send.ugm (1|M0)  r104  r3  null:0  0x18000  0x02808403  {$23} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x0)]
sync.nop  null  {Compacted,$23.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r104:bf  r155.0:bf  {Compacted,$31}
sync.nop  null  {$31.src}
send.ugm (1|M0)  r104  r3  null:0  0x4018000  0x02808403  {$27} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x10)]
sync.nop  null  {Compacted,$27.dst}
dpas.8x8 (16|M0)  r78:f  r78:f  r104:bf  r155.0:bf  {Compacted,$0}
sync.nop  null  {Compacted,$0.src}
send.ugm (1|M0)  r104  r3  null:0  0x8018000  0x02808403  {$28} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x20)]
sync.nop  null  {Compacted,$28.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r104:bf  r155.0:bf  {Compacted,$24}
sync.nop  null  {Compacted,$24.src}
send.ugm (1|M0)  r104  r3  null:0  0xC018000  0x02808403  {$29} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x18,0x30)]
sync.nop  null  {Compacted,$29.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r104:bf  r155.0:bf  {Compacted,$13}
sync.nop  null  {$13.src}
send.ugm (1|M0)  r104  r3  null:0  0x20000  0x02808403  {$30} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x0)]
sync.allwr  ($5,$30)
dpas.8x8 (16|M0)  r96:f  r96:f  r104:bf  r127.0:bf  {Compacted,$31}
sync.nop  null  {Compacted,$31.src}
send.ugm (1|M0)  r104  r3  null:0  0x4020000  0x02808403  {$1} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x10)]
sync.nop  null  {Compacted,$1.dst}
dpas.8x8 (16|M0)  r78:f  r78:f  r104:bf  r127.0:bf  {Compacted,$0}
sync.nop  null  {Compacted,$0.src}
send.ugm (1|M0)  r104  r3  null:0  0x8020000  0x02808403  {$2} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x20)]
sync.nop  null  {Compacted,$2.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r104:bf  r127.0:bf  {Compacted,$24}
sync.nop  null  {Compacted,$24.src}
send.ugm (1|M0)  r104  r3  null:0  0xC020000  0x02808403  {$7} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x20,0x30)]
sync.nop  null  {Compacted,$7.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r104:bf  r127.0:bf  {Compacted,$13}
sync.nop  null  {Compacted,$13.src}
send.ugm (1|M0)  r104  r3  null:0  0x28000  0x02808403  {$8} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x0)]
sync.nop  null  {Compacted,$8.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r104:bf  r131.0:bf  {Compacted,$31}
sync.nop  null  {Compacted,$31.src}
send.ugm (1|M0)  r104  r3  null:0  0x4028000  0x02808403  {$14} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x10)]
sync.nop  null  {Compacted,$14.dst}
dpas.8x8 (16|M0)  r78:f  r78:f  r104:bf  r131.0:bf  {Compacted,$0}
sync.nop  null  {$0.src}
send.ugm (1|M0)  r104  r3  null:0  0x8028000  0x02808403  {$15} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x20)]
sync.nop  null  {Compacted,$15.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r104:bf  r131.0:bf  {Compacted,$24}
sync.nop  null  {Compacted,$24.src}
send.ugm (1|M0)  r104  r3  null:0  0xC028000  0x02808403  {$16} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x28,0x30)]
sync.nop  null  {Compacted,$16.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r104:bf  r131.0:bf  {Compacted,$13}
sync.nop  null  {Compacted,$13.src}
send.ugm (1|M0)  r104  r3  null:0  0x30000  0x02808403  {$22} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x0)]
sync.allwr  ($6,$22)
dpas.8x8 (16|M0)  r96:f  r96:f  r104:bf  r119.0:bf  {Compacted,$31}
sync.nop  null  {Compacted,$31.src}
send.ugm (1|M0)  r104  r3  null:0  0x4030000  0x02808403  {$23} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x10)]
sync.nop  null  {Compacted,$23.dst}
dpas.8x8 (16|M0)  r78:f  r78:f  r104:bf  r119.0:bf  {Compacted,$0}
sync.nop  null  {Compacted,$0.src}
send.ugm (1|M0)  r104  r3  null:0  0x8030000  0x02808403  {$27} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x20)]
sync.nop  null  {Compacted,$27.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r104:bf  r119.0:bf  {Compacted,$24}
sync.nop  null  {Compacted,$24.src}
send.ugm (1|M0)  r104  r3  null:0  0xC030000  0x02808403  {$28} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x30,0x30)]
sync.nop  null  {Compacted,$28.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r104:bf  r119.0:bf  {Compacted,$13}
sync.nop  null  {$13.src}
send.ugm (1|M0)  r104  r3  null:0  0x38000  0x02808403  {$29} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x0)]
sync.nop  null  {Compacted,$29.dst}
dpas.8x8 (16|M0)  r96:f  r96:f  r104:bf  r123.0:bf  {Compacted,$31}
mul (16|M0)  acc0.0<1>:f  r96.0<1;1,0>:f  r4.12<0;1,0>:f  {$31.dst}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
(f2.0)  sel (16|M0)  r169.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc1.0<1>:f  r97.0<1;1,0>:f  r4.12<0;1,0>:f
and (16|M0)  (ne)f2.0  null<1>:d  r87.0<1;1,0>:d  r135.0<1;1,0>:d  {F@2}
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
(f1.1)  sel (16|M0)  r110.0<1>:f  acc1.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc2.0<1>:f  r98.0<1;1,0>:f  r4.12<0;1,0>:f
(f2.0)  cmp (16|M0)  (lt)f2.0  null<1>:d  r2.0<1;1,0>:d  r4.4<0;1,0>:d
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  0.0:f  {Compacted}
and (16|M0)  (ne)f1.1  null<1>:d  r114.0<1;1,0>:d  r138.0<1;1,0>:d  {F@3}
(f0.0)  sel (16|M0)  r109.0<1>:f  acc2.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r99.0<1;1,0>:f  r4.12<0;1,0>:f
and (16|M0)  (ne)f0.0  null<1>:d  r114.0<1;1,0>:d  r137.0<1;1,0>:d  {F@2}
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
(f1.1)  cmp (16|M0)  (lt)f1.1  null<1>:d  r86.0<1;1,0>:d  r4.4<0;1,0>:d
(f3.1)  sel (16|M0)  r108.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r100.0<1;1,0>:f  r4.12<0;1,0>:f
(f0.0)  cmp (16|M0)  (lt)f0.0  null<1>:d  r86.0<1;1,0>:d  r4.4<0;1,0>:d
add (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0.0:f  {Compacted}
(f2.0)  sel (16|M0)  r105.0<1>:f  acc4.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc5.0<1>:f  r101.0<1;1,0>:f  r4.12<0;1,0>:f
and (16|M0)  (ne)f2.0  null<1>:d  r114.0<1;1,0>:d  r135.0<1;1,0>:d  {F@2}
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r104.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc6.0<1>:f  r102.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc7.0<1>:f  r103.0<1;1,0>:f  r4.12<0;1,0>:f
send.ugm (1|M0)  r96  r3  null:0  0x4038000  0x02808403  {F@1,$30} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x10)]
add (16|M0)  acc6.0<1>:f  acc6.0<1;1,0>:f  0.0:f  {Compacted}
(f2.0)  cmp (16|M0)  (lt)f2.0  null<1>:d  r86.0<1;1,0>:d  r4.4<0;1,0>:d
add (16|M0)  acc7.0<1>:f  acc7.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  r107.0<1>:f  acc6.0<1;1,0>:f  -inf:f  {Compacted}
(f3.1)  sel (16|M0)  r106.0<1>:f  acc7.0<1;1,0>:f  -inf:f  {Compacted}
and (16|M0)  (ne)f3.1  null<1>:d  r114.0<1;1,0>:d  r136.0<1;1,0>:d  {F@1}
(f3.1)  cmp (16|M0)  (lt)f3.1  null<1>:d  r86.0<1;1,0>:d  r4.4<0;1,0>:d
sync.nop  null  {Compacted,$30.dst}
dpas.8x8 (16|M0)  r78:f  r78:f  r96:bf  r123.0:bf  {Compacted,$0}
mul (16|M0)  acc7.0<1>:f  r78.0<1;1,0>:f  r4.12<0;1,0>:f  {$0.dst}
add (16|M0)  acc7.0<1>:f  acc7.0<1;1,0>:f  0.0:f  {Compacted}
(f1.1)  sel (16|M0)  acc7.0<1>:f  acc7.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc6.0<1>:f  r79.0<1;1,0>:f  r4.12<0;1,0>:f
and (16|M0)  (ne)f1.1  null<1>:d  r115.0<1;1,0>:d  r138.0<1;1,0>:d  {F@2}
add (16|M0)  acc6.0<1>:f  acc6.0<1;1,0>:f  0.0:f  {Compacted}
(f0.0)  sel (16|M0)  acc6.0<1>:f  acc6.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc5.0<1>:f  r80.0<1;1,0>:f  r4.12<0;1,0>:f
(f1.1)  cmp (16|M0)  (lt)f1.1  null<1>:d  r112.0<1;1,0>:d  r4.4<0;1,0>:d
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
and (16|M0)  (ne)f0.0  null<1>:d  r115.0<1;1,0>:d  r137.0<1;1,0>:d  {F@3}
(f3.1)  sel (16|M0)  r101.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r81.0<1;1,0>:f  r4.12<0;1,0>:f
and (16|M0)  (ne)f3.1  null<1>:d  r115.0<1;1,0>:d  r136.0<1;1,0>:d  {F@2}
add (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0.0:f  {Compacted}
(f0.0)  cmp (16|M0)  (lt)f0.0  null<1>:d  r112.0<1;1,0>:d  r4.4<0;1,0>:d
(f3.0)  sel (16|M0)  r98.0<1>:f  acc4.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r82.0<1;1,0>:f  r4.12<0;1,0>:f
(f3.1)  cmp (16|M0)  (lt)f3.1  null<1>:d  r112.0<1;1,0>:d  r4.4<0;1,0>:d
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
(f2.0)  sel (16|M0)  r97.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r83.0<1;1,0>:f  r4.12<0;1,0>:f
and (16|M0)  (ne)f2.0  null<1>:d  r117.0<1;1,0>:d  r137.0<1;1,0>:d  {F@2}
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
(f3.0)  sel (16|M0)  r96.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r84.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc2.0<1>:f  r85.0<1;1,0>:f  r4.12<0;1,0>:f
send.ugm (1|M0)  r80  r3  null:0  0x8038000  0x02808403  {A@1,$31} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x20)]
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
sel (16|M0)  (ge)f0.0  r2.0<1>:f  r104.0<1;1,0>:f  r96.0<1;1,0>:f  {Compacted}
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  0.0:f  {Compacted}
(f2.0)  cmp (16|M0)  (lt)f2.0  null<1>:d  r113.0<1;1,0>:d  r4.4<0;1,0>:d
(f3.0)  sel (16|M0)  r79.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
(f3.0)  sel (16|M0)  r78.0<1>:f  acc2.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  acc2.0<1>:f  r169.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted}
and (16|M0)  (ne)f3.0  null<1>:d  r115.0<1;1,0>:d  r135.0<1;1,0>:d  {F@2}
sel (16|M0)  (ge)f0.0  r99.0<1>:f  r107.0<1;1,0>:f  r79.0<1;1,0>:f  {Compacted}
sel (16|M0)  (ge)f0.0  acc3.0<1>:f  r110.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
sel (16|M0)  (ge)f0.0  acc1.0<1>:f  r109.0<1;1,0>:f  r101.0<1;1,0>:f  {Compacted}
sel (16|M0)  (ge)f0.0  acc5.0<1>:f  r108.0<1;1,0>:f  r98.0<1;1,0>:f  {Compacted}
sel (16|M0)  (ge)f0.0  acc0.0<1>:f  r105.0<1;1,0>:f  r97.0<1;1,0>:f
(f3.0)  cmp (16|M0)  (lt)f3.0  null<1>:d  r112.0<1;1,0>:d  r4.4<0;1,0>:d
sel (16|M0)  (ge)f0.0  r114.0<1>:f  r106.0<1;1,0>:f  r78.0<1;1,0>:f  {Compacted}
sync.nop  null  {Compacted,$31.dst}
dpas.8x8 (16|M0)  r14:f  r14:f  r80:bf  r123.0:bf  {Compacted,$24}
mul (16|M0)  acc4.0<1>:f  r14.0<1;1,0>:f  r4.12<0;1,0>:f  {$24.dst}
add (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0.0:f  {Compacted}
(f1.1)  sel (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  -inf:f  {Compacted}
and (16|M0)  (ne)f1.1  null<1>:d  r117.0<1;1,0>:d  r136.0<1;1,0>:d  {F@1}
sel (16|M0)  (ge)f0.0  r80.0<1>:f  acc2.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc2.0<1>:f  r15.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  0.0:f
(f1.1)  cmp (16|M0)  (lt)f1.1  null<1>:d  r113.0<1;1,0>:d  r4.4<0;1,0>:d
(f0.0)  sel (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r81.0<1>:f  acc3.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r16.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
(f3.1)  sel (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r100.0<1>:f  acc1.0<1;1,0>:f  acc3.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc1.0<1>:f  r17.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r87.0<1>:f  acc5.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc5.0<1>:f  r18.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f3.0)  sel (16|M0)  r103.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r111.0<1>:f  acc0.0<1;1,0>:f  r103.0<1;1,0>:f  {Compacted,F@1}
mul (16|M0)  acc5.0<1>:f  r19.0<1;1,0>:f  r4.12<0;1,0>:f
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  r85.0<1>:f  acc5.0<1;1,0>:f  -inf:f
mul (16|M0)  acc5.0<1>:f  r20.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc0.0<1>:f  r21.0<1;1,0>:f  r4.12<0;1,0>:f
send.ugm (1|M0)  r14  r3  null:0  0xC038000  0x02808403  {F@1,$0} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64.flat[A+(0x38,0x30)]
add (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  0.0:f  {Compacted}
sel (16|M0)  (ge)f0.0  r102.0<1>:f  r2.0<1;1,0>:f  r85.0<1;1,0>:f  {Compacted}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  acc5.0<1>:f  acc5.0<1;1,0>:f  -inf:f  {Compacted}
(f2.1)  sel (16|M0)  r82.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
and (16|M0)  (ne)f2.1  null<1>:d  r117.0<1;1,0>:d  r138.0<1;1,0>:d  {F@1}
sel (16|M0)  (ge)f0.0  r99.0<1>:f  r99.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted}
sel (16|M0)  (ge)f0.0  r86.0<1>:f  r114.0<1;1,0>:f  r82.0<1;1,0>:f
(f2.1)  cmp (16|M0)  (lt)f2.1  null<1>:d  r113.0<1;1,0>:d  r4.4<0;1,0>:d
sync.nop  null  {Compacted,$0.dst}
dpas.8x8 (16|M0)  r6:f  r6:f  r14:bf  r123.0:bf  {Compacted,$13}
(W)  mov (16|M0)  r14.0<1>:ud  0xFF800000:ud  {$13.src}
(W)  mov (16|M0)  r16.0<1>:ud  0xFF800000:ud
(W)  mov (16|M0)  r19.0<1>:ud  0xFF800000:ud
(W)  mov (16|M0)  r21.0<1>:ud  0xFF800000:ud
mul (16|M0)  acc0.0<1>:f  r6.0<1;1,0>:f  r4.12<0;1,0>:f  {$13.dst}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
(f2.1)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r14.0<1>:f  r80.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted,I@4}
(W)  mov (8|M0)  r2.0<1>:ud  r14.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (8|M0)  (ge)f0.0  r14.0<1>:f  r14.0<1;1,0>:f  r2.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r2.0<1>:ud  r14.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r14.0<1>:f  r14.0<1;1,0>:f  r2.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r2.0<1>:ud  r14.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r2.0<1>:f  r14.0<1;1,0>:f  r2.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r168.7<1>:f  r2.0<0;1,0>:f  r2.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r2.0<1>:f  r144.15<0;1,0>:f  r168.7<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f0.0  null<1>:f  r2.0<0;1,0>:f  -inf:f  {F@1}
(W&~f0.0) sel (1|M0)  r2.4<1>:f  r2.0<0;1,0>:f  0.0:f
and (16|M0)  (ne)f0.0  null<1>:d  r117.0<1;1,0>:d  r135.0<1;1,0>:d  {F@1}
add (16|M0)  r14.0<1>:f  r169.0<1;1,0>:f  -r2.4<0;1,0>:f
add (16|M0)  r15.0<1>:f  acc4.0<1;1,0>:f  -r2.4<0;1,0>:f
(W)  add (1|M0)  r2.5<1>:f  r144.15<0;1,0>:f  -r2.4<0;1,0>:f
math.exp (16|M0)  r84.0<1>:f  r14.0<1;1,0>:f  {F@3}
add (16|M0)  r14.0<1>:f  acc7.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
math.exp (16|M0)  r18.0<1>:f  r15.0<1;1,0>:f  {F@3}
(f0.0)  cmp (16|M0)  (lt)f0.0  null<1>:d  r113.0<1;1,0>:d  r4.4<0;1,0>:d
math.exp (16|M0)  r83.0<1>:f  r14.0<1;1,0>:f  {F@1}
add (16|M0)  r14.0<1>:f  acc0.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r7.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  math.exp (1|M0)  r2.11<1>:f  r2.5<0;1,0>:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r15.0<1>:f  r14.0<1;1,0>:f  {F@3}
(f2.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mov (16|M0)  r7.0<1>:ud  0xFF800000:ud  {F@3}
(W)  mul (1|M0)  r168.8<1>:f  r1.8<0;1,0>:f  r2.11<0;1,0>:f  {M@2}
sel (16|M0)  (ge)f0.0  r16.0<1>:f  r81.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r14.0<1>:ud  r16.8<1;1,0>:ud  {Compacted,A@1}
(W)  sel (8|M0)  (ge)f0.0  r16.0<1>:f  r16.0<1;1,0>:f  r14.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r14.0<1>:ud  r16.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r16.0<1>:f  r16.0<1;1,0>:f  r14.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r14.0<1>:ud  r16.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r14.0<1>:f  r16.0<1;1,0>:f  r14.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r2.4<1>:f  r14.0<0;1,0>:f  r14.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r2.1<1>:f  r144.14<0;1,0>:f  r2.4<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f3.1  null<1>:f  r2.1<0;1,0>:f  -inf:f  {F@1}
(W&~f3.1) sel (1|M0)  r2.4<1>:f  r2.1<0;1,0>:f  0.0:f
add (16|M0)  r14.0<1>:f  r110.0<1;1,0>:f  -r2.4<0;1,0>:f  {F@1}
add (16|M0)  r16.0<1>:f  acc2.0<1;1,0>:f  -r2.4<0;1,0>:f
(W)  add (1|M0)  r2.5<1>:f  r144.14<0;1,0>:f  -r2.4<0;1,0>:f
math.exp (16|M0)  r81.0<1>:f  r14.0<1;1,0>:f  {F@3}
add (16|M0)  r14.0<1>:f  acc6.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
(W)  math.exp (1|M0)  r2.10<1>:f  r2.5<0;1,0>:f  {F@2}
math.exp (16|M0)  r80.0<1>:f  r14.0<1;1,0>:f  {F@1}
add (16|M0)  r14.0<1>:f  acc0.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r8.0<1;1,0>:f  r4.12<0;1,0>:f
math.exp (16|M0)  r16.0<1>:f  r16.0<1;1,0>:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r14.0<1>:f  r14.0<1;1,0>:f  {F@3}
(f1.1)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mul (1|M0)  r2.12<1>:f  r1.9<0;1,0>:f  r2.10<0;1,0>:f
sel (16|M0)  (ge)f0.0  r19.0<1>:f  r100.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r17.0<1>:ud  r19.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (8|M0)  (ge)f0.0  r19.0<1>:f  r19.0<1;1,0>:f  r17.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r17.0<1>:ud  r19.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r19.0<1>:f  r19.0<1;1,0>:f  r17.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r17.0<1>:ud  r19.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r17.0<1>:f  r19.0<1;1,0>:f  r17.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r2.4<1>:f  r17.0<0;1,0>:f  r17.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r2.2<1>:f  r144.13<0;1,0>:f  r2.4<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f3.0  null<1>:f  r2.2<0;1,0>:f  -inf:f  {F@1}
(W&~f3.0) sel (1|M0)  r2.4<1>:f  r2.2<0;1,0>:f  0.0:f
add (16|M0)  r17.0<1>:f  r109.0<1;1,0>:f  -r2.4<0;1,0>:f  {F@1}
add (16|M0)  r19.0<1>:f  acc0.0<1;1,0>:f  -r2.4<0;1,0>:f
(W)  add (1|M0)  r2.5<1>:f  r144.13<0;1,0>:f  -r2.4<0;1,0>:f
math.exp (16|M0)  r100.0<1>:f  r17.0<1;1,0>:f  {F@3}
add (16|M0)  r17.0<1>:f  r101.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
(W)  math.exp (1|M0)  r2.9<1>:f  r2.5<0;1,0>:f  {F@2}
math.exp (16|M0)  r101.0<1>:f  r17.0<1;1,0>:f  {F@1}
add (16|M0)  r17.0<1>:f  acc3.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r9.0<1;1,0>:f  r4.12<0;1,0>:f
math.exp (16|M0)  r19.0<1>:f  r19.0<1;1,0>:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f
math.exp (16|M0)  r17.0<1>:f  r17.0<1;1,0>:f  {F@3}
(f1.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mul (1|M0)  r2.13<1>:f  r1.10<0;1,0>:f  r2.9<0;1,0>:f
sel (16|M0)  (ge)f0.0  r21.0<1>:f  r87.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r20.0<1>:ud  r21.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (8|M0)  (ge)f0.0  r21.0<1>:f  r21.0<1;1,0>:f  r20.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r20.0<1>:ud  r21.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r21.0<1>:f  r21.0<1;1,0>:f  r20.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r20.0<1>:ud  r21.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r20.0<1>:f  r21.0<1;1,0>:f  r20.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r2.4<1>:f  r20.0<0;1,0>:f  r20.1<0;1,0>:f  {Compacted,F@1}
(W)  sel (1|M0)  (ge)f0.0  r2.3<1>:f  r144.12<0;1,0>:f  r2.4<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f2.1  null<1>:f  r2.3<0;1,0>:f  -inf:f  {F@1}
(W)  mov (4|M0)  r145.0<1>:ud  r2.0<1;1,0>:ud
(W&~f2.1) sel (1|M0)  r2.4<1>:f  r2.3<0;1,0>:f  0.0:f
add (16|M0)  r20.0<1>:f  r108.0<1;1,0>:f  -r2.4<0;1,0>:f  {F@1}
add (16|M0)  r21.0<1>:f  acc1.0<1;1,0>:f  -r2.4<0;1,0>:f
(W)  add (1|M0)  r2.5<1>:f  r144.12<0;1,0>:f  -r2.4<0;1,0>:f
math.exp (16|M0)  r108.0<1>:f  r20.0<1;1,0>:f  {F@3}
add (16|M0)  r20.0<1>:f  r98.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
(W)  mov (16|M0)  r98.0<1>:f  -inf:f
math.exp (16|M0)  r87.0<1>:f  r21.0<1;1,0>:f  {F@4}
math.exp (16|M0)  r109.0<1>:f  r20.0<1;1,0>:f  {F@2}
add (16|M0)  r20.0<1>:f  acc0.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r10.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  math.exp (1|M0)  r2.8<1>:f  r2.5<0;1,0>:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r20.0<1>:f  r20.0<1;1,0>:f  {F@3}
(f0.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mul (1|M0)  r2.14<1>:f  r1.11<0;1,0>:f  r2.8<0;1,0>:f  {M@2}
sel (16|M0)  (ge)f0.0  r98.0<1>:f  r111.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r21.0<1>:ud  r98.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (8|M0)  (ge)f0.0  r98.0<1>:f  r98.0<1;1,0>:f  r21.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r21.0<1>:ud  r98.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r98.0<1>:f  r98.0<1;1,0>:f  r21.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r21.0<1>:ud  r98.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r21.0<1>:f  r98.0<1;1,0>:f  r21.0<1;1,0>:f  {I@1}
(W)  mov (16|M0)  r98.0<1>:f  -inf:f  {Compacted}
(W)  sel (1|M0)  (ge)f0.0  r2.4<1>:f  r21.0<0;1,0>:f  r21.1<0;1,0>:f  {Compacted,F@2}
(W)  sel (1|M0)  (ge)f0.0  r4.0<1>:f  r144.11<0;1,0>:f  r2.4<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f2.0  null<1>:f  r4.0<0;1,0>:f  -inf:f  {F@1}
(W&~f2.0) sel (1|M0)  r2.4<1>:f  r4.0<0;1,0>:f  0.0:f
add (16|M0)  r21.0<1>:f  r105.0<1;1,0>:f  -r2.4<0;1,0>:f  {F@1}
(W)  add (1|M0)  r2.5<1>:f  r144.11<0;1,0>:f  -r2.4<0;1,0>:f
math.exp (16|M0)  r105.0<1>:f  r21.0<1;1,0>:f  {F@2}
add (16|M0)  r21.0<1>:f  r97.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
add (16|M0)  r97.0<1>:f  r103.0<1;1,0>:f  -r2.4<0;1,0>:f
(W)  math.exp (1|M0)  r2.7<1>:f  r2.5<0;1,0>:f  {F@3}
math.exp (16|M0)  r110.0<1>:f  r21.0<1;1,0>:f  {F@2}
add (16|M0)  r21.0<1>:f  acc0.0<1;1,0>:f  -r2.4<0;1,0>:f  {M@1}
mul (16|M0)  acc0.0<1>:f  r11.0<1;1,0>:f  r4.12<0;1,0>:f
math.exp (16|M0)  r103.0<1>:f  r97.0<1;1,0>:f  {F@3}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f
math.exp (16|M0)  r21.0<1>:f  r21.0<1;1,0>:f  {F@3}
(f1.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
(W)  mul (1|M0)  r2.15<1>:f  r1.12<0;1,0>:f  r2.7<0;1,0>:f
sel (16|M0)  (ge)f0.0  r98.0<1>:f  r102.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  mov (8|M0)  r97.0<1>:ud  r98.8<1;1,0>:ud  {Compacted,A@1}
(W)  sel (8|M0)  (ge)f0.0  r98.0<1>:f  r98.0<1;1,0>:f  r97.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r97.0<1>:ud  r98.4<1;1,0>:ud  {Compacted,F@1}
(W)  sel (4|M0)  (ge)f0.0  r98.0<1>:f  r98.0<1;1,0>:f  r97.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r97.0<1>:ud  r98.2<1;1,0>:ud  {F@1}
(W)  sel (2|M0)  (ge)f0.0  r97.0<1>:f  r98.0<1;1,0>:f  r97.0<1;1,0>:f  {I@1}
mov (16|M0)  r98.0<1>:bf  r105.0<1;1,0>:f
(W)  sel (1|M0)  (ge)f0.0  r168.7<1>:f  r97.0<0;1,0>:f  r97.1<0;1,0>:f  {F@2}
(W)  sel (1|M0)  (ge)f0.0  r4.1<1>:f  r144.10<0;1,0>:f  r168.7<0;1,0>:f  {F@1}
(W)  cmp (1|M0)  (eq)f1.1  null<1>:f  r4.1<0;1,0>:f  -inf:f  {F@1}
(W&~f1.1) sel (1|M0)  r168.7<1>:f  r4.1<0;1,0>:f  0.0:f
add (16|M0)  r96.0<1>:f  r96.0<1;1,0>:f  -r168.7<0;1,0>:f {F@1}
(W)  add (1|M0)  r168.9<1>:f  r144.10<0;1,0>:f  -r168.7<0;1,0>:f
add (16|M0)  r97.0<1>:f  r104.0<1;1,0>:f  -r168.7<0;1,0>:f
math.exp (16|M0)  r112.0<1>:f  r96.0<1;1,0>:f  {F@3}
add (16|M0)  r96.0<1>:f  r85.0<1;1,0>:f  -r168.7<0;1,0>:f {M@1}
add (16|M0)  r85.0<1>:f  acc0.0<1;1,0>:f  -r168.7<0;1,0>:f
mul (16|M0)  acc0.0<1>:f  r12.0<1;1,0>:f  r4.12<0;1,0>:f
mul (16|M0)  acc1.0<1>:f  r13.0<1;1,0>:f  r4.12<0;1,0>:f
(W)  math.exp (1|M0)  r2.6<1>:f  r168.9<0;1,0>:f  {F@6}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r111.0<1>:f  r97.0<1;1,0>:f  {F@6}
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
math.exp (16|M0)  r104.0<1>:f  r96.0<1;1,0>:f  {F@6}
(f1.0)  sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  -inf:f  {Compacted}
math.exp (16|M0)  r102.0<1>:f  r85.0<1;1,0>:f  {F@6}
(f1.0)  sel (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  -inf:f  {Compacted}
mov (16|M0)  r97.0<1>:bf  r100.0<1;1,0>:f  {M@3}
mov (16|M0)  r97.16<1>:bf  r108.0<1;1,0>:f
sel (16|M0)  (ge)f0.0  r7.0<1>:f  r99.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
mov (16|M0)  r98.16<1>:bf  r111.0<1;1,0>:f
mov (16|M0)  r96.0<1>:bf  r84.0<1;1,0>:f  {M@2}
(W)  mov (8|M0)  r6.0<1>:ud  r7.8<1;1,0>:ud  {Compacted,F@3}
mov (16|M0)  r96.16<1>:bf  r81.0<1;1,0>:f
mov (16|M0)  r85.0<1>:bf  r110.0<1;1,0>:f  {M@1}
(W)  sel (8|M0)  (ge)f0.0  r7.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
mov (16|M0)  r85.16<1>:bf  r112.0<1;1,0>:f
(W)  mul (1|M0)  r168.7<1>:f  r1.13<0;1,0>:f  r2.6<0;1,0>:f
(W)  mov (4|M0)  r6.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@3}
(W)  sel (4|M0)  (ge)f0.0  r7.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r6.0<1>:ud  r7.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r6.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {I@1}
(W)  mov (16|M0)  r7.0<1>:f  -inf:f  {Compacted}
sel (16|M0)  (ge)f0.0  r7.0<1>:f  r86.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
(W)  sel (1|M0)  (ge)f0.0  r6.8<1>:f  r6.0<0;1,0>:f  r6.1<0;1,0>:f  {F@3}
(W)  mov (8|M0)  r6.0<1>:ud  r7.8<1;1,0>:ud  {Compacted,F@1}
(W)  sel (1|M0)  (ge)f0.0  r4.2<1>:f  r144.9<0;1,0>:f  r6.8<0;1,0>:f
(W)  sel (8|M0)  (ge)f0.0  r7.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
(W)  cmp (1|M0)  (eq)f0.0  null<1>:f  r4.2<0;1,0>:f  -inf:f  {Compacted,F@2}
(W)  mov (4|M0)  r6.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@2}
(W)  sel (4|M0)  (ge)f0.0  r7.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (2|M0)  r6.0<1>:ud  r7.2<1;1,0>:ud  {Compacted,F@1}
(W)  sel (2|M0)  (ge)f0.0  r6.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {I@1}
(W)  sel (1|M0)  (ge)f0.0  r168.9<1>:f  r6.0<0;1,0>:f  r6.1<0;1,0>:f  {F@1}
(W)  sel (1|M0)  (ge)f0.0  r4.3<1>:f  r144.8<0;1,0>:f  r168.9<0;1,0>:f  {F@1}
(W&~f0.0) sel (1|M0)  r168.9<1>:f  r4.2<0;1,0>:f  0.0:f
(W)  cmp (1|M0)  (eq)f3.1  null<1>:f  r4.3<0;1,0>:f  -inf:f  {F@2}
(W)  add (1|M0)  r168.10<1>:f  r144.9<0;1,0>:f  -r168.9<0;1,0>:f {F@2}
add (16|M0)  r7.0<1>:f  acc5.0<1;1,0>:f  -r168.9<0;1,0>:f
add (16|M0)  r6.0<1>:f  r107.0<1;1,0>:f  -r168.9<0;1,0>:f
(W)  math.exp (1|M0)  r2.5<1>:f  r168.10<0;1,0>:f  {F@3}
(W&~f3.1) sel (1|M0)  r168.10<1>:f  r4.3<0;1,0>:f  0.0:f  {M@1}
math.exp (16|M0)  r12.0<1>:f  r7.0<1;1,0>:f  {F@3}
add (16|M0)  r7.0<1>:f  r106.0<1;1,0>:f  -r168.10<0;1,0>:f {A@1}
math.exp (16|M0)  r13.0<1>:f  r6.0<1;1,0>:f
add (16|M0)  r9.0<1>:f  r82.0<1;1,0>:f  -r168.10<0;1,0>:f
math.exp (16|M0)  r10.0<1>:f  r7.0<1;1,0>:f  {F@2}
add (16|M0)  r6.0<1>:f  r79.0<1;1,0>:f  -r168.9<0;1,0>:f {M@2}
add (16|M0)  r7.0<1>:f  r78.0<1;1,0>:f  -r168.10<0;1,0>:f {M@1}
math.exp (16|M0)  r9.0<1>:f  r9.0<1;1,0>:f  {F@3}
(W)  add (1|M0)  r168.11<1>:f  r144.8<0;1,0>:f  -r168.10<0;1,0>:f
math.exp (16|M0)  r11.0<1>:f  r6.0<1;1,0>:f  {F@3}
mov (16|M0)  r82.16<1>:bf  r9.0<1;1,0>:f  {M@2}
math.exp (16|M0)  r8.0<1>:f  r7.0<1;1,0>:f  {F@3}
add (16|M0)  r6.0<1>:f  acc0.0<1;1,0>:f  -r168.9<0;1,0>:f {M@2}
add (16|M0)  r7.0<1>:f  acc1.0<1;1,0>:f  -r168.10<0;1,0>:f {M@1}
add (16|M0)  acc0.0<1>:f  r84.0<1;1,0>:f  r83.0<1;1,0>:f  {Compacted}
add (16|M0)  acc1.0<1>:f  r81.0<1;1,0>:f  r80.0<1;1,0>:f  {Compacted}
add (16|M0)  acc2.0<1>:f  r100.0<1;1,0>:f  r101.0<1;1,0>:f  {Compacted}
add (16|M0)  acc3.0<1>:f  r108.0<1;1,0>:f  r109.0<1;1,0>:f  {Compacted}
add (16|M0)  acc4.0<1>:f  r105.0<1;1,0>:f  r110.0<1;1,0>:f  {Compacted}
add (16|M0)  acc5.0<1>:f  r111.0<1;1,0>:f  r112.0<1;1,0>:f  {Compacted}
add (16|M0)  acc6.0<1>:f  r13.0<1;1,0>:f  r11.0<1;1,0>:f  {Compacted}
add (16|M0)  acc7.0<1>:f  r10.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted}
mov (16|M0)  r86.16<1>:bf  r8.0<1;1,0>:f
add (16|M0)  acc0.0<1>:f  r18.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(W)  math.exp (1|M0)  r2.4<1>:f  r168.11<0;1,0>:f
add (16|M0)  acc1.0<1>:f  r16.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
math.exp (16|M0)  r6.0<1>:f  r6.0<1;1,0>:f
add (16|M0)  acc2.0<1>:f  r17.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted}
mov (16|M0)  r79.0<1>:bf  r18.0<1;1,0>:f
add (16|M0)  acc3.0<1>:f  r87.0<1;1,0>:f  acc3.0<1;1,0>:f  {Compacted}
mov (16|M0)  r18.0<1>:bf  r6.0<1;1,0>:f  {M@1}
add (16|M0)  acc4.0<1>:f  r103.0<1;1,0>:f  acc4.0<1;1,0>:f
math.exp (16|M0)  r7.0<1>:f  r7.0<1;1,0>:f
add (16|M0)  acc5.0<1>:f  r104.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted}
mov (16|M0)  r18.16<1>:bf  r7.0<1;1,0>:f  {M@1}
add (16|M0)  acc6.0<1>:f  r12.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
mov (16|M0)  r99.0<1>:bf  r13.0<1;1,0>:f
add (16|M0)  acc7.0<1>:f  r9.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted}
(W)  mov (16|M0)  r9.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r9.0<1>:f  r15.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
mov (16|M0)  r15.0<1>:bf  r15.0<1;1,0>:f
mov (16|M0)  r82.0<1>:bf  r12.0<1;1,0>:f
(W)  mov (8|M0)  r8.0<1>:ud  r9.8<1;1,0>:ud  {Compacted,F@3}
mov (16|M0)  r99.16<1>:bf  r10.0<1;1,0>:f
mov (16|M0)  r86.0<1>:bf  r11.0<1;1,0>:f
(W)  add (8|M0)  r9.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
mov (16|M0)  r15.16<1>:bf  r14.0<1;1,0>:f
mul (16|M0)  r13.0<1>:f  r94.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
(W)  mov (4|M0)  r8.0<1>:ud  r9.4<1;1,0>:ud  {Compacted,F@3}
mul (16|M0)  r12.0<1>:f  r93.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r91.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
(W)  add (4|M0)  r8.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r9.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r9.0<1>:f  r14.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r8.4<1>:f  r8.0<0;1,0>:f  r8.2<0;1,0>:f  {F@3}
(W)  add (1|M0)  r8.5<1>:f  r8.1<0;1,0>:f  r8.3<0;1,0>:f
mul (16|M0)  r11.0<1>:f  r92.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r95.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
(W)  add (1|M0)  r168.11<1>:f  r8.4<0;1,0>:f  r8.5<0;1,0>:f  {F@3}
(W)  mov (8|M0)  r8.0<1>:ud  r9.8<1;1,0>:ud  {F@1}
mov (16|M0)  r83.0<1>:bf  r83.0<1;1,0>:f
mov (16|M0)  r84.0<1>:bf  r101.0<1;1,0>:f
(W)  add (8|M0)  r9.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {I@1}
(W)  add (1|M0)  r1.8<1>:f  r168.8<0;1,0>:f  r168.11<0;1,0>:f
mov (16|M0)  r84.16<1>:bf  r109.0<1;1,0>:f
mov (16|M0)  r83.16<1>:bf  r80.0<1;1,0>:f
(W)  mov (4|M0)  r8.0<1>:ud  r9.4<1;1,0>:ud  {F@4}
mov (16|M0)  r79.16<1>:bf  r16.0<1;1,0>:f
mov (16|M0)  r81.0<1>:bf  r103.0<1;1,0>:f
(W)  add (4|M0)  r8.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r9.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r9.0<1>:f  r19.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r8.4<1>:f  r8.0<0;1,0>:f  r8.2<0;1,0>:f  {Compacted,F@3}
(W)  add (1|M0)  r8.5<1>:f  r8.1<0;1,0>:f  r8.3<0;1,0>:f
mov (16|M0)  r81.16<1>:bf  r104.0<1;1,0>:f
mov (16|M0)  r80.0<1>:bf  r17.0<1;1,0>:f
(W)  add (1|M0)  r168.15<1>:f  r8.4<0;1,0>:f  r8.5<0;1,0>:f  {F@3}
(W)  mov (8|M0)  r8.0<1>:ud  r9.8<1;1,0>:ud  {F@1}
mov (16|M0)  r80.16<1>:bf  r87.0<1;1,0>:f
mov (16|M0)  r16.0<1>:bf  r19.0<1;1,0>:f
(W)  add (8|M0)  r9.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {I@1}
mov (16|M0)  r16.16<1>:bf  r20.0<1;1,0>:f
mov (16|M0)  r17.0<1>:bf  r21.0<1;1,0>:f
(W)  mov (4|M0)  r8.0<1>:ud  r9.4<1;1,0>:ud  {F@3}
mov (16|M0)  r17.16<1>:bf  r102.0<1;1,0>:f
(W)  mul (1|M0)  r168.9<1>:f  r1.14<0;1,0>:f  r2.5<0;1,0>:f
(W)  mul (1|M0)  r168.10<1>:f  r1.15<0;1,0>:f  r2.4<0;1,0>:f
(W)  add (4|M0)  r8.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r9.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r9.0<1>:f  r20.0<1;1,0>:f  acc3.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r8.4<1>:f  r8.0<0;1,0>:f  r8.2<0;1,0>:f  {Compacted,F@3}
(W)  add (1|M0)  r8.5<1>:f  r8.1<0;1,0>:f  r8.3<0;1,0>:f
(W)  mov (4|M0)  r144.0<1>:f  r4.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r1.9<1>:f  r2.12<0;1,0>:f  r168.15<0;1,0>:f
(W)  add (1|M0)  r168.14<1>:f  r8.4<0;1,0>:f  r8.5<0;1,0>:f  {F@3}
(W)  mov (8|M0)  r8.0<1>:ud  r9.8<1;1,0>:ud  {Compacted,F@1}
(W)  add (1|M0)  r1.10<1>:f  r2.13<0;1,0>:f  r168.14<0;1,0>:f
(W)  add (8|M0)  r9.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r8.0<1>:ud  r9.4<1;1,0>:ud  {Compacted,F@1}
(W)  add (4|M0)  r8.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r9.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r9.0<1>:f  r21.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r8.4<1>:f  r8.0<0;1,0>:f  r8.2<0;1,0>:f  {Compacted,F@3}
(W)  add (1|M0)  r8.5<1>:f  r8.1<0;1,0>:f  r8.3<0;1,0>:f
(W)  add (1|M0)  r168.13<1>:f  r8.4<0;1,0>:f  r8.5<0;1,0>:f  {F@1}
(W)  mov (8|M0)  r8.0<1>:ud  r9.8<1;1,0>:ud  {Compacted,F@1}
(W)  add (1|M0)  r1.11<1>:f  r2.14<0;1,0>:f  r168.13<0;1,0>:f
(W)  add (8|M0)  r9.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r8.0<1>:ud  r9.4<1;1,0>:ud  {Compacted,F@1}
(W)  add (4|M0)  r8.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r9.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r9.0<1>:f  r102.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r8.4<1>:f  r8.0<0;1,0>:f  r8.2<0;1,0>:f  {Compacted,F@3}
(W)  add (1|M0)  r8.5<1>:f  r8.1<0;1,0>:f  r8.3<0;1,0>:f
(W)  add (1|M0)  r168.12<1>:f  r8.4<0;1,0>:f  r8.5<0;1,0>:f  {F@1}
(W)  mov (8|M0)  r8.0<1>:ud  r9.8<1;1,0>:ud  {Compacted,F@1}
(W)  add (1|M0)  r1.12<1>:f  r2.15<0;1,0>:f  r168.12<0;1,0>:f
(W)  add (8|M0)  r9.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r8.0<1>:ud  r9.4<1;1,0>:ud  {Compacted,F@1}
(W)  add (4|M0)  r8.0<1>:f  r9.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,I@1}
mul (16|M0)  r9.0<1>:f  r90.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
(W)  add (1|M0)  r8.4<1>:f  r8.0<0;1,0>:f  r8.2<0;1,0>:f  {F@2}
(W)  add (1|M0)  r8.5<1>:f  r8.1<0;1,0>:f  r8.3<0;1,0>:f
(W)  add (1|M0)  r168.11<1>:f  r8.4<0;1,0>:f  r8.5<0;1,0>:f  {F@1}
(W)  mov (16|M0)  r8.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r8.0<1>:f  r6.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r1.13<1>:f  r168.7<0;1,0>:f  r168.11<0;1,0>:f {F@3}
(W)  mov (8|M0)  r6.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@2}
(W)  add (8|M0)  r8.0<1>:f  r8.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (4|M0)  r6.0<1>:ud  r8.4<1;1,0>:ud  {Compacted,F@1}
(W)  add (4|M0)  r6.0<1>:f  r8.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
(W)  mov (16|M0)  r8.0<1>:f  0.0:f  {Compacted}
add (16|M0)  r8.0<1>:f  r7.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted}
(W)  add (1|M0)  r6.4<1>:f  r6.0<0;1,0>:f  r6.2<0;1,0>:f  {F@3}
(W)  add (1|M0)  r6.5<1>:f  r6.1<0;1,0>:f  r6.3<0;1,0>:f
(W)  add (1|M0)  r6.8<1>:f  r6.4<0;1,0>:f  r6.5<0;1,0>:f  {F@1}
(W)  mov (8|M0)  r6.0<1>:ud  r8.8<1;1,0>:ud  {Compacted,F@1}
(W)  add (1|M0)  r1.14<1>:f  r168.9<0;1,0>:f  r6.8<0;1,0>:f
(W)  add (8|M0)  r7.0<1>:f  r8.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
mul (16|M0)  r8.0<1>:f  r89.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
(W)  mov (4|M0)  r6.0<1>:ud  r7.4<1;1,0>:ud  {Compacted,F@2}
(W)  add (4|M0)  r6.0<1>:f  r7.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,I@1}
mul (16|M0)  r7.0<1>:f  r88.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted}
(W)  add (1|M0)  r6.4<1>:f  r6.0<0;1,0>:f  r6.2<0;1,0>:f  {Compacted,F@2}
sync.nop  null  {Compacted,F@2}
sync.nop  null  {Compacted,$25.dst}
dpas.8x8 (16|M0)  r88:f  r7:f  r206:bf  r96.0:bf  {Compacted,$1}
sync.nop  null  {Compacted,$18.dst}
sync.nop  null  {Compacted,$1.src}
mul (16|M0)  r7.0<1>:f  r70.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted,$10.dst}
mul (16|M0)  r8.0<1>:f  r71.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r72.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r73.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r74.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r75.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r76.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r77.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
dpas.8x8 (16|M0)  r88:f  r88:f  r214:bf  r83.0:bf  {Compacted,$1}
(W)  add (1|M0)  r6.5<1>:f  r6.1<0;1,0>:f  r6.3<0;1,0>:f
sync.nop  null  {Compacted,F@2}
dpas.8x8 (16|M0)  r70:f  r7:f  r222:bf  r96.0:bf  {Compacted,$2}
mul (16|M0)  r7.0<1>:f  r62.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted,$2.src}
mul (16|M0)  r8.0<1>:f  r63.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r64.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r65.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r66.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r67.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
sync.allwr  ($1,$2)
dpas.8x8 (16|M0)  r88:f  r88:f  r170:bf  r79.0:bf  {Atomic,Compacted,$26.dst}
dpas.8x8 (16|M0)  r70:f  r70:f  r230:bf  r83.0:bf  {Compacted,$1}
sync.nop  null  {Compacted,$1.src}
send.ugm (1|M0)  r210  r118  null:0  0x20000  0x03F00283  {$7} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x20,0x0)]
mul (16|M0)  r13.0<1>:f  r68.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r69.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
(W)  add (1|M0)  r168.8<1>:f  r6.4<0;1,0>:f  r6.5<0;1,0>:f  {F@7}
(W)  add (1|M0)  r1.15<1>:f  r168.10<0;1,0>:f  r168.8<0;1,0>:f  {F@1}
dpas.8x8 (16|M0)  r88:f  r88:f  r178:bf  r15.0:bf  {Atomic,Compacted,$1.dst}
dpas.8x8 (16|M0)  r70:f  r70:f  r186:bf  r79.0:bf  {Compacted,$1}
sync.nop  null  {Compacted,$1.dst}
dpas.8x8 (16|M0)  r70:f  r70:f  r194:bf  r15.0:bf  {Compacted,$18}
sync.nop  null  {$18.src}
send.ugm (1|M0)  r170  r118  null:0  0x8020000  0x03F00283  {$8} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x20,0x20)]
dpas.8x8 (16|M0)  r62:f  r7:f  r210:bf  r96.0:bf  {Compacted,$7}
sync.nop  null  {Compacted,$19.dst}
sync.nop  null  {Compacted,$7.src}
mul (16|M0)  r7.0<1>:f  r54.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted,$12.dst}
mul (16|M0)  r8.0<1>:f  r55.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r56.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r57.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r58.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r59.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r60.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r61.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r62:f  r62:f  r218:bf  r83.0:bf  {Atomic,Compacted,$7.dst}
dpas.8x8 (16|M0)  r54:f  r7:f  r226:bf  r96.0:bf  {Compacted,$7}
mul (16|M0)  r7.0<1>:f  r46.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted,$7.src}
mul (16|M0)  r8.0<1>:f  r47.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r48.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r49.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r50.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r51.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,$7.dst}
dpas.8x8 (16|M0)  r62:f  r62:f  r170:bf  r79.0:bf  {Atomic,Compacted,$8.dst}
dpas.8x8 (16|M0)  r54:f  r54:f  r234:bf  r83.0:bf  {Compacted,$8}
sync.nop  null  {Compacted,$8.src}
send.ugm (1|M0)  r206  r118  null:0  0x40000  0x03F00283  {$13} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x40,0x0)]
mul (16|M0)  r13.0<1>:f  r52.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r53.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
dpas.8x8 (16|M0)  r62:f  r62:f  r178:bf  r15.0:bf  {Atomic,Compacted,$8.dst}
dpas.8x8 (16|M0)  r54:f  r54:f  r186:bf  r79.0:bf  {Compacted,$8}
sync.nop  null  {Compacted,$8.dst}
dpas.8x8 (16|M0)  r54:f  r54:f  r194:bf  r15.0:bf  {Compacted,$19}
sync.nop  null  {Compacted,$19.src}
send.ugm (1|M0)  r170  r118  null:0  0x8040000  0x03F00283  {$14} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x40,0x20)]
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r46:f  r7:f  r206:bf  r96.0:bf  {Compacted,$13}
sync.nop  null  {Compacted,$20.dst}
sync.nop  null  {Compacted,$13.src}
mul (16|M0)  r7.0<1>:f  r38.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted,$9.dst}
mul (16|M0)  r8.0<1>:f  r39.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r40.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r41.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r42.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r43.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r44.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r45.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r46:f  r46:f  r214:bf  r83.0:bf  {Atomic,Compacted,$13.dst}
dpas.8x8 (16|M0)  r38:f  r7:f  r222:bf  r96.0:bf  {Compacted,$13}
mul (16|M0)  r7.0<1>:f  r30.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted,$13.src}
mul (16|M0)  r8.0<1>:f  r31.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r32.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r33.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r34.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r35.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,$13.dst}
dpas.8x8 (16|M0)  r46:f  r46:f  r170:bf  r79.0:bf  {Atomic,Compacted,$14.dst}
dpas.8x8 (16|M0)  r38:f  r38:f  r230:bf  r83.0:bf  {Compacted,$14}
sync.nop  null  {Compacted,$14.src}
send.ugm (1|M0)  r210  r118  null:0  0x60000  0x03F00283  {$15} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x60,0x0)]
mul (16|M0)  r13.0<1>:f  r36.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r37.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
dpas.8x8 (16|M0)  r46:f  r46:f  r178:bf  r15.0:bf  {Atomic,Compacted,$14.dst}
dpas.8x8 (16|M0)  r38:f  r38:f  r186:bf  r79.0:bf  {Compacted,$14}
sync.nop  null  {Compacted,$14.dst}
dpas.8x8 (16|M0)  r38:f  r38:f  r194:bf  r15.0:bf  {Compacted,$20}
sync.nop  null  {$20.src}
send.ugm (1|M0)  r170  r118  null:0  0x8060000  0x03F00283  {$16} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64.flat[A+(0x60,0x20)]
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r30:f  r7:f  r210:bf  r96.0:bf  {Compacted,$15}
sync.nop  null  {Compacted,$21.dst}
sync.nop  null  {Compacted,$15.src}
mul (16|M0)  r7.0<1>:f  r22.0<1;1,0>:f  r2.11<0;1,0>:f  {Compacted,$11.dst}
mul (16|M0)  r8.0<1>:f  r23.0<1;1,0>:f  r2.10<0;1,0>:f  {Compacted}
mul (16|M0)  r9.0<1>:f  r24.0<1;1,0>:f  r2.9<0;1,0>:f  {Compacted}
mul (16|M0)  r10.0<1>:f  r25.0<1;1,0>:f  r2.8<0;1,0>:f  {Compacted}
mul (16|M0)  r11.0<1>:f  r26.0<1;1,0>:f  r2.7<0;1,0>:f  {Compacted}
mul (16|M0)  r12.0<1>:f  r27.0<1;1,0>:f  r2.6<0;1,0>:f  {Compacted}
mul (16|M0)  r13.0<1>:f  r28.0<1;1,0>:f  r2.5<0;1,0>:f  {Compacted}
mul (16|M0)  r14.0<1>:f  r29.0<1;1,0>:f  r2.4<0;1,0>:f  {Compacted}
sync.nop  null  {Compacted,F@1}
dpas.8x8 (16|M0)  r30:f  r30:f  r218:bf  r83.0:bf  {Atomic,Compacted,$15.dst}
dpas.8x8 (16|M0)  r22:f  r7:f  r226:bf  r96.0:bf  {Compacted,$15}
sync.nop  null  {Compacted,$15.dst}
dpas.8x8 (16|M0)  r30:f  r30:f  r170:bf  r79.0:bf  {Atomic,Compacted,$16.dst}
dpas.8x8 (16|M0)  r22:f  r22:f  r234:bf  r83.0:bf  {Compacted,$16}
dpas.8x8 (16|M0)  r30:f  r30:f  r178:bf  r15.0:bf  {Atomic,Compacted,$16.dst}
dpas.8x8 (16|M0)  r22:f  r22:f  r186:bf  r79.0:bf  {Compacted,$16}
sync.nop  null  {Compacted,$16.dst}
dpas.8x8 (16|M0)  r22:f  r22:f  r194:bf  r15.0:bf  {Compacted,$21}
(W&f0.1) jmpi  L23792
L23632:
(W)  mov (1|M0)  r4.5<1>:d  r145.4<0;1,0>:d
(W)  mov (1|M0)  r144.15<1>:f  r2.0<0;1,0>:f
(W)  mov (1|M0)  r144.14<1>:f  r2.1<0;1,0>:f
(W)  mov (1|M0)  r144.13<1>:f  r2.2<0;1,0>:f
(W)  mov (1|M0)  r144.12<1>:f  r2.3<0;1,0>:f
(W)  mov (1|M0)  r144.11<1>:f  r4.0<0;1,0>:f
(W)  mov (1|M0)  r144.10<1>:f  r4.1<0;1,0>:f
(W)  mov (1|M0)  r144.9<1>:f  r4.2<0;1,0>:f
(W)  mov (1|M0)  r144.8<1>:f  r4.3<0;1,0>:f
(W)  jmpi  L14496
L23792:
(W)  mov (1|M0)  r145.13<1>:f  r145.0<0;1,0>:f
(W)  mov (1|M0)  r168.0<1>:f  r145.1<0;1,0>:f  {Compacted}
(W)  mov (1|M0)  r145.15<1>:f  r145.2<0;1,0>:f
(W)  mov (1|M0)  r145.14<1>:f  r145.3<0;1,0>:f
(W)  mov (1|M0)  r168.1<1>:f  r144.0<0;1,0>:f  {Compacted}
(W)  mov (1|M0)  r168.4<1>:f  r144.1<0;1,0>:f
(W)  mov (1|M0)  r168.3<1>:f  r144.2<0;1,0>:f
(W)  mov (1|M0)  r168.2<1>:f  r144.3<0;1,0>:f
L23904:
(W)  cmp (16|M0)  (lt)f3.0  null<1>:d  r144.4<0;1,0>:d  0:w
sync.nop  null  {Compacted,$21.dst}
sync.nop  null  {Compacted,$17.src}
mov (16|M0)  r2.0<1>:ud  r28.0<1;1,0>:ud  {Compacted,$11.dst}
mov (16|M0)  r11.0<1>:ud  r29.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r21.0<1>:ud  r32.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r13.0<1>:ud  r24.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r12.0<1>:ud  r25.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r4.0<1>:ud  r27.0<1;1,0>:ud  {Compacted,F@7}
mov (16|M0)  r16.0<1>:ud  r36.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r19.0<1>:ud  r37.0<1;1,0>:ud  {Compacted}
sync.nop  null  {Compacted,$20.dst}
mov (16|M0)  r28.0<1>:ud  r41.0<1;1,0>:ud  {Compacted,$9.dst}
mov (16|M0)  r29.0<1>:ud  r40.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r32.0<1>:ud  r39.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r20.0<1>:ud  r33.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r24.0<1>:ud  r44.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r25.0<1>:ud  r43.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r27.0<1>:ud  r45.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r36.0<1>:ud  r50.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r37.0<1>:ud  r49.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r41.0<1>:ud  r46.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r40.0<1>:ud  r47.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r39.0<1>:ud  r48.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r15.0<1>:ud  r22.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r14.0<1>:ud  r23.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r10.0<1>:ud  r26.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r18.0<1>:ud  r34.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r17.0<1>:ud  r35.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r78.0<1>:ud  r62.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r79.0<1>:ud  r63.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r80.0<1>:ud  r64.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r82.0<1>:ud  r65.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r83.0<1>:ud  r66.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r84.0<1>:ud  r67.0<1;1,0>:ud  {Compacted}
mov (16|M0)  r85.0<1>:f  r68.0<1;1,0>:f  {Compacted}
mov (16|M0)  r81.0<1>:f  r69.0<1;1,0>:f  {Compacted}
mov (16|M0)  r33.0<1>:f  r38.0<1;1,0>:f  {Compacted}
sync.nop  null  {Compacted,$19.dst}
mov (16|M0)  r44.0<1>:f  r59.0<1;1,0>:f  {Compacted,$12.dst}
mov (16|M0)  r43.0<1>:f  r60.0<1;1,0>:f  {Compacted}
mov (16|M0)  r45.0<1>:f  r58.0<1;1,0>:f  {Compacted}
mov (16|M0)  r50.0<1>:f  r54.0<1;1,0>:f  {Compacted}
mov (16|M0)  r49.0<1>:f  r55.0<1;1,0>:f  {Compacted}
mov (16|M0)  r46.0<1>:f  r61.0<1;1,0>:f  {Compacted}
mov (16|M0)  r47.0<1>:f  r57.0<1;1,0>:f  {Compacted}
mov (16|M0)  r48.0<1>:f  r56.0<1;1,0>:f  {Compacted}
mov (16|M0)  r22.0<1>:f  r31.0<1;1,0>:f  {Compacted,I@7}
mov (16|M0)  r23.0<1>:f  r30.0<1;1,0>:f  {Compacted,I@7}
mov (16|M0)  r26.0<1>:f  r42.0<1;1,0>:f  {Compacted,I@7}
mov (16|M0)  r34.0<1>:f  r52.0<1;1,0>:f  {Compacted,I@7}
mov (16|M0)  r35.0<1>:f  r51.0<1;1,0>:f  {Compacted,I@7}
sync.nop  null  {Compacted,I@6}
sync.nop  null  {Compacted,$18.dst}
mov (16|M0)  r62.0<1>:f  r70.0<1;1,0>:f  {Compacted,$10.dst}
mov (16|M0)  r63.0<1>:f  r71.0<1;1,0>:f  {Compacted,I@5}
mov (16|M0)  r64.0<1>:f  r72.0<1;1,0>:f  {Compacted,I@4}
mov (16|M0)  r65.0<1>:f  r77.0<1;1,0>:f  {Compacted,I@3}
mov (16|M0)  r66.0<1>:f  r73.0<1;1,0>:f  {Compacted,I@2}
mov (16|M0)  r67.0<1>:f  r74.0<1;1,0>:f  {Compacted,I@1}
mov (16|M0)  r68.0<1>:f  r75.0<1;1,0>:f  {Compacted}
mov (16|M0)  r69.0<1>:f  r76.0<1;1,0>:f  {Compacted}
mov (16|M0)  r38.0<1>:f  r53.0<1;1,0>:f  {Compacted}
mov (16|M0)  r59.0<1>:f  r92.0<1;1,0>:f  {Compacted}
mov (16|M0)  r60.0<1>:f  r93.0<1;1,0>:f  {Compacted}
mov (16|M0)  r58.0<1>:f  r91.0<1;1,0>:f  {Compacted}
mov (16|M0)  r54.0<1>:f  r88.0<1;1,0>:f  {Compacted}
mov (16|M0)  r55.0<1>:f  r89.0<1;1,0>:f  {Compacted}
mov (16|M0)  r61.0<1>:f  r94.0<1;1,0>:f  {Compacted}
mov (16|M0)  r57.0<1>:f  r95.0<1;1,0>:f  {Compacted}
mov (16|M0)  r56.0<1>:f  r90.0<1;1,0>:f  {Compacted}
(W&~f3.0) jmpi  L24512
L24496:
(W)  add (1|M0)  r144.4<1>:d  r144.4<0;1,0>:d  3:w
L24512:
(W)  mul (1|M0)  acc0.0<1>:ud  r144.5<0;1,0>:ud  r118.26<0;1,0>:uw
(W)  asr (1|M0)  r3.3<1>:d  r144.5<0;1,0>:d  31:w
(W)  asr (1|M0)  r3.2<1>:d  r144.4<0;1,0>:d  2:w  {I@3}
(W)  macl (1|M0)  r3.0<1>:ud  r144.5<0;1,0>:ud  r118.13<0;1,0>:ud
(W)  mul (1|M0)  acc0.0<1>:ud  r144.5<0;1,0>:ud  r118.26<0;1,0>:uw
shl (16|M0)  r42.0<1>:d  r141.0<1;1,0>:d  1:w  {Compacted}
(W)  mach (1|M0)  r144.0<1>:d  r144.5<0;1,0>:ud  r118.13<0;1,0>:ud
(W)  mul (1|M0)  acc0.0<1>:d  r144.5<0;1,0>:ud  r145.10<0;1,0>:uw
mov (16|M0)  r7.0<1>:f  r168.0<0;1,0>:f  {Compacted}
(W)  macl (1|M0)  r118.0<1>:d  r144.5<0;1,0>:ud  r145.5<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r118.13<0;1,0>:ud  r3.6<0;1,0>:uw  {I@7}
mov (16|M0)  r8.0<1>:f  r145.15<0;1,0>:f
mov (16|M0)  r9.0<1>:f  r145.14<0;1,0>:f  {Compacted}
(W)  add (1|M0)  r144.0<1>:d  r144.0<0;1,0>:d  r118.0<0;1,0>:d  {Compacted,I@2}
(W)  macl (1|M0)  r118.0<1>:d  r118.13<0;1,0>:ud  r3.3<0;1,0>:d
(W)  asr (1|M0)  r3.3<1>:d  r3.2<0;1,0>:d  31:w
shl (16|M0)  r52.0<1>:d  r147.0<1;1,0>:d  2:w  {Compacted}
(W)  add (1|M0)  r3.1<1>:d  r144.0<0;1,0>:d  r118.0<0;1,0>:d  {Compacted,I@3}
(W)  add (1|M0)  r3.0<1>:q  r3.0<0;1,0>:q  r118.12<0;1,0>:d {I@1}
(W)  mul (1|M0)  acc0.0<1>:ud  r3.0<0;1,0>:ud  r3.4<0;1,0>:uw  {I@1}
(W)  macl (1|M0)  r118.0<1>:ud  r3.0<0;1,0>:ud  r3.2<0;1,0>:ud
(W)  mul (1|M0)  acc0.0<1>:ud  r3.0<0;1,0>:ud  r3.4<0;1,0>:uw
(W)  mach (1|M0)  r6.0<1>:d  r3.0<0;1,0>:ud  r3.2<0;1,0>:ud  {$6.src}
(W)  mul (1|M0)  acc0.0<1>:d  r3.0<0;1,0>:ud  r3.6<0;1,0>:uw
(W)  macl (1|M0)  r144.0<1>:d  r3.0<0;1,0>:ud  r3.3<0;1,0>:d
(W)  mul (1|M0)  acc0.0<1>:d  r3.2<0;1,0>:ud  r3.2<0;1,0>:uw
(W)  add (1|M0)  r6.0<1>:d  r6.0<0;1,0>:d  r144.0<0;1,0>:d  {I@2}
(W)  macl (1|M0)  r144.0<1>:d  r3.2<0;1,0>:ud  r3.1<0;1,0>:d
(W)  add (1|M0)  r118.1<1>:d  r6.0<0;1,0>:d  r144.0<0;1,0>:d  {Compacted,I@1}
mov (16|M0)  r6.0<1>:f  r145.13<0;1,0>:f  {Compacted,I@1}
(W)  add (1|M0)  r3.2<1>:q  r118.0<0;1,0>:q  r168.5<0;1,0>:d
send.slm (16|M0)  null  r42  r6:4  0x0  0x02003504  {F@1,$22} // wr:1+4, rd:0; store.slm.d32x4.a32
mov (16|M0)  r6.0<1>:f  r168.1<0;1,0>:f  {Compacted,$22.src}
(W)  mov (2|M0)  r3.0<1>:d  r3.4<1;1,0>:d  {Compacted,I@1}
mov (16|M0)  r7.0<1>:f  r168.4<0;1,0>:f  {Compacted}
mov (16|M0)  r8.0<1>:f  r168.3<0;1,0>:f  {Compacted}
(W)  mul (1|M0)  acc0.0<1>:ud  r3.0<0;1,0>:ud  0x8200:uw  {I@1}
mov (16|M0)  r9.0<1>:f  r168.2<0;1,0>:f
(W)  mul (1|M0)  r3.2<1>:ud  r3.0<0;1,0>:ud  0x8200:uw
(W)  mach (1|M0)  r118.0<1>:d  r3.0<0;1,0>:ud  0x8200:ud
(W)  mul (1|M0)  r3.0<1>:d  r3.1<0;1,0>:d  0x8200:uw
send.slm (16|M0)  null  r52  r6:4  0x0  0x02003504  {F@1,$23} // wr:1+4, rd:0; store.slm.d32x4.a32
(W)  add (1|M0)  r3.3<1>:d  r118.0<0;1,0>:d  r3.0<0;1,0>:d  {I@1}
(W)  add (1|M0)  r3.0<1>:q  r3.1<0;1,0>:q  r3.5<0;1,0>:q  {Compacted,I@1}
(W)  shl (1|M0)  r3.1<1>:q  r3.2<0;1,0>:q  2:w
(W)  add (1|M0)  r118.0<1>:q  r3.1<0;1,0>:q  r3.6<0;1,0>:q  {I@1}
(W)  add (1|M0)  r3.1<1>:q  r3.0<0;1,0>:q  512:w  {Compacted}
sync.nop  null  {Compacted,$23.src}
(W)  send.slm (1|M0)  r6  r5  null:0  0x0  0x0210001F  {$24} // wr:1+0, rd:1; fence.slm.none.group
(W)  mov (8|M0)  null<1>:ud  r6.0<1;1,0>:ud  {Compacted,$24.dst}
(W)  mov (1|M0)  r6.2<1>:f  3.58732e-43:f  {I@1}
(W)  mov (2|M0)  r6.10<1>:ub  r5.11<0;1,0>:ub  {F@1}
(W)  send.gtwy (1|M0)  null  r6  null:0  0x0  0x02000004  {I@1,$25} // wr:1+0, rd:0; signal barrier
(W)  sync.bar  0x0
and (16|M0)  r8.0<1>:w  r1.0<1;1,0>:w  15:w
cmp (16|M0)  (lt)f2.1  null<1>:d  r148.0<1;1,0>:d  3:w
mov (16|M0)  r6.0<4>:uw  r8.0<1;1,0>:uw  {@2,$25.src}
shl (16|M0)  r8.0<1>:w  r8.0<1;1,0>:w  2:w
mov (16|M0)  r30.0<1>:q  r6.0<4;1,0>:uw  {I@2}
and (16|M0)  r6.0<1>:d  r140.0<1;1,0>:d  112:w
mov (16|M0)  r51.0<1>:ud  r8.0<1;1,0>:uw  {I@3}
(f2.1)  cmp (16|M0)  (eq)f2.1  null<1>:d  r6.0<1;1,0>:d  0:w  {I@2}
(~f2.1) goto (16|M0)  L25488  L25488
L25392:
(W)  shl (1|M0)  r3.4<1>:d  r145.10<0;1,0>:d  5:w
send.slm (16|M0)  r53  r51  null:0  0x0  0x02100500  {I@4,$26} // wr:1+0, rd:1; load.slm.d32.a32
shl (16|M0)  r8.0<1>:q  r30.0<1;1,0>:q  2:w  {Compacted}
(W)  shl (1|M0)  r3.2<1>:q  r3.4<0;1,0>:d  2:w  {I@2}
(W)  add (1|M0)  r3.2<1>:q  r3.0<0;1,0>:q  r3.2<0;1,0>:q  {Compacted,I@1}
add (16|M0)  r6.0<1>:q  r3.2<0;1,0>:q  r8.0<1;1,0>:q  {I@1}
send.ugm (16|M0)  null  r6  r53:1  0x0  0x04000584  {I@1,$26} // wr:2+1, rd:0; store.ugm.d32.a64
L25488:
join (16|M0)  L25504
L25504:
sync.nop  null  {Compacted,$26.src}
(W)  send.slm (1|M0)  r6  r5  null:0  0x0  0x0210001F  {$27} // wr:1+0, rd:1; fence.slm.none.group
(W)  mov (8|M0)  null<1>:ud  r6.0<1;1,0>:ud  {Compacted,$27.dst}
(W)  mov (1|M0)  r6.2<1>:f  3.58732e-43:f  {I@1}
(W)  mov (2|M0)  r6.10<1>:ub  r5.11<0;1,0>:ub  {F@1}
(W)  send.gtwy (1|M0)  null  r6  null:0  0x0  0x02000004  {I@1,$28} // wr:1+0, rd:0; signal barrier
(W)  sync.bar  0x0
mov (16|M0)  r6.0<1>:f  r1.8<0;1,0>:f  {Compacted,$28.src}
mov (16|M0)  r7.0<1>:f  r1.9<0;1,0>:f  {Compacted}
mov (16|M0)  r8.0<1>:f  r1.10<0;1,0>:f  {Compacted}
mov (16|M0)  r9.0<1>:f  r1.11<0;1,0>:f  {Compacted}
send.slm (16|M0)  null  r42  r6:4  0x0  0x02003504  {F@1,$29} // wr:1+4, rd:0; store.slm.d32x4.a32
mov (16|M0)  r6.0<1>:f  r1.12<0;1,0>:f  {Compacted,$29.src}
mov (16|M0)  r7.0<1>:f  r1.13<0;1,0>:f  {Compacted}
mov (16|M0)  r8.0<1>:f  r1.14<0;1,0>:f  {Compacted}
mov (16|M0)  r9.0<1>:f  r1.15<0;1,0>:f
send.slm (16|M0)  null  r52  r6:4  0x0  0x02003504  {F@1,$30} // wr:1+4, rd:0; store.slm.d32x4.a32
sync.nop  null  {Compacted,$30.src}
(W)  send.slm (1|M0)  r6  r5  null:0  0x0  0x0210001F  {$31} // wr:1+0, rd:1; fence.slm.none.group
(W)  mov (8|M0)  null<1>:ud  r6.0<1;1,0>:ud  {Compacted,$31.dst}
(W)  mov (1|M0)  r6.2<1>:ud  0x100:ud  {Compacted}
(W)  mov (2|M0)  r6.10<1>:ub  r5.11<0;1,0>:ub  {I@1}
(W)  send.gtwy (1|M0)  null  r6  null:0  0x0  0x02000004  {I@1,$0} // wr:1+0, rd:0; signal barrier
(W)  sync.bar  0x0
(~f2.1) goto (16|M0)  L25936  L25936
L25808:
(W)  shl (1|M0)  r1.8<1>:d  r145.10<0;1,0>:d  5:w
send.slm (16|M0)  r51  r51  null:0  0x0  0x02100500  {$1} // wr:1+0, rd:1; load.slm.d32.a32
shl (16|M0)  r6.0<1>:q  r30.0<1;1,0>:q  2:w  {$0.src}
(W)  add (1|M0)  r1.8<1>:d  r1.8<0;1,0>:d  16:w  {I@2}
(W)  shl (1|M0)  r1.4<1>:q  r1.8<0;1,0>:d  2:w  {I@1}
(W)  add (1|M0)  r1.4<1>:q  r3.0<0;1,0>:q  r1.4<0;1,0>:q  {I@1}
add (16|M0)  r8.0<1>:q  r1.4<0;1,0>:q  r6.0<1;1,0>:q  {I@1}
send.ugm (16|M0)  null  r8  r51:1  0x0  0x04000584  {I@1,$1} // wr:2+1, rd:0; store.ugm.d32.a64
L25936:
join (16|M0)  L25952
L25952:
mov (16|M0)  r8.0<2>:ud  r143.0<1;1,0>:ud  {$1.src}
(W)  shl (1|M0)  r118.2<1>:d  r145.10<0;1,0>:d  4:w
shl (16|M0)  r6.0<1>:q  r8.0<2;1,0>:ud  2:w  {@2,$0.src}
(W)  send.slm (1|M0)  r8  r5  null:0  0x0  0x0210001F  {I@1,$2} // wr:1+0, rd:1; fence.slm.none.group
(W)  mov (8|M0)  null<1>:ud  r8.0<1;1,0>:ud  {$2.dst}
(W)  mov (1|M0)  r8.2<1>:f  3.58732e-43:f  {I@1}
(W)  mov (2|M0)  r8.10<1>:ub  r5.11<0;1,0>:ub  {F@1}
(W)  send.gtwy (1|M0)  null  r8  null:0  0x0  0x02000004  {I@1,$7} // wr:1+0, rd:0; signal barrier
(W)  sync.bar  0x0
shl (16|M0)  r8.0<1>:d  r141.0<1;1,0>:d  6:w  {$7.src}
(W)  mov (1|M0)  r118.3<1>:d  384:w
and (16|M0)  r52.0<1>:d  r142.0<1;1,0>:d  384:w  {Compacted}
or (16|M0)  r9.0<1>:d  r8.0<1;1,0>:d  r116.0<1;1,0>:d  {Compacted,I@3}
bfn.0xF8 (16|M0)  r31.0<1>:ud  r142.0<1;0>:ud  r118.3<0;0>:ud  r143.0<1>:ud  {I@3} // s0&s1|s2
(W)  mov (1|M0)  r118.3<1>:d  512:w
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  128:w  {I@3}
or (16|M0)  acc0.0<1>:d  r9.0<1;1,0>:d  r42.0<1;1,0>:d
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {I@2}
shl (16|M0)  r30.0<1>:d  acc0.0<1;1,0>:d  2:w
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@2}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  256:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r30  r54:1  0x0  0x02000504  {I@4,$8} // wr:1+1, rd:0; store.slm.d32.a32
send.slm (16|M0)  null  r8  r55:1  0x0  0x02000504  {I@1,$9} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$9.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  384:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r56:1  0x0  0x02000504  {I@1,$10} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$10.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  640:w  {Compacted}
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r58:1  0x0  0x02000504  {I@1,$11} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r8.0<1>:d  r9.0<1;1,0>:d  512:w  {Compacted,$11.src}
shr (16|M0)  acc0.0<1>:ud  r8.0<1;1,0>:ud  5:w  {I@1}
bfn.0xFE (16|M0)  r8.0<1>:ud  acc0.0<1;0>:ud  r9.0<1;0>:ud  r118.3<0>:ud  // s0|s1|s2
shl (16|M0)  r8.0<1>:d  r8.0<1;1,0>:d  2:w  {I@1}
send.slm (16|M0)  null  r8  r59:1  0x0  0x02000504  {I@1,$12} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$12.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  768:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r60:1  0x0  0x02000504  {I@1,$13} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$13.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  896:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r61:1  0x0  0x02000504  {I@1,$14} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$14.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  144:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r57:1  0x0  0x02000504  {I@1,$15} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r8.0<1>:d  r30.0<1;1,0>:d  64:w  {$15.src}
send.slm (16|M0)  null  r8  r62:1  0x0  0x02000504  {I@1,$16} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$16.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  272:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r63:1  0x0  0x02000504  {I@1,$17} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$17.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  400:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r64:1  0x0  0x02000504  {I@1,$18} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$18.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  528:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r66:1  0x0  0x02000504  {I@1,$19} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$19.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  656:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r67:1  0x0  0x02000504  {I@1,$20} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$20.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  784:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r68:1  0x0  0x02000504  {I@1,$21} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$21.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  912:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r69:1  0x0  0x02000504  {I@1,$22} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$22.src}
add (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  r51.0<1;1,0>:d  {I@1}
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  160:w  {Compacted}
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
add (16|M0)  acc0.0<1>:d  r42.0<1;1,0>:d  32:w  {Compacted}
or (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r9.0<1;1,0>:d
send.slm (16|M0)  null  r8  r65:1  0x0  0x02000504  {I@3,$23} // wr:1+1, rd:0; store.slm.d32.a32
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w  {$23.src}
send.slm (16|M0)  null  r8  r78:1  0x0  0x02000504  {I@1,$24} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$24.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  36:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r51.0<1;1,0>:d
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  288:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r79:1  0x0  0x02000504  {I@1,$25} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$25.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  40:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r51.0<1;1,0>:d
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  416:w  {Compacted}
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r80:1  0x0  0x02000504  {I@1,$26} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$26.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  44:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r51.0<1;1,0>:d
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  544:w  {Compacted}
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r82:1  0x0  0x02000504  {I@1,$27} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$27.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  48:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r51.0<1;1,0>:d
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  672:w
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r83:1  0x0  0x02000504  {I@1,$28} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$28.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  52:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r51.0<1;1,0>:d
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  800:w  {Compacted}
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r84:1  0x0  0x02000504  {I@1,$29} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$29.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  56:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r51.0<1;1,0>:d
or (16|M0)  r51.0<1>:d  r9.0<1;1,0>:d  928:w  {Compacted}
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r85:1  0x0  0x02000504  {I@1,$30} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r51.0<1;1,0>:ud  5:w  {$30.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  60:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r51.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
add (16|M0)  acc0.0<1>:d  r42.0<1;1,0>:d  48:w
or (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r9.0<1;1,0>:d
send.slm (16|M0)  null  r8  r81:1  0x0  0x02000504  {I@3,$31} // wr:1+1, rd:0; store.slm.d32.a32
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w  {$31.src}
send.slm (16|M0)  null  r8  r50:1  0x0  0x02000504  {I@1,$0} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r50.0<1>:d  r9.0<1;1,0>:d  176:w  {$0.src}
shr (16|M0)  r8.0<1>:ud  r50.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  36:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r50.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r49:1  0x0  0x02000504  {I@1,$1} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r49.0<1>:d  r9.0<1;1,0>:d  304:w  {Compacted,$1.src}
shr (16|M0)  r8.0<1>:ud  r49.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  40:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r49.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r48:1  0x0  0x02000504  {I@1,$2} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r48.0<1>:d  r9.0<1;1,0>:d  432:w  {Compacted,$2.src}
shr (16|M0)  r8.0<1>:ud  r48.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  44:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r48.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r47:1  0x0  0x02000504  {I@1,$7} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r47.0<1>:d  r9.0<1;1,0>:d  560:w  {$7.src}
shr (16|M0)  r8.0<1>:ud  r47.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  48:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r47.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r45:1  0x0  0x02000504  {I@1,$9} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r45.0<1>:d  r9.0<1;1,0>:d  688:w  {Compacted,$9.src}
shr (16|M0)  r8.0<1>:ud  r45.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  52:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r45.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r44:1  0x0  0x02000504  {I@1,$10} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r44.0<1>:d  r9.0<1;1,0>:d  816:w  {Compacted,$10.src}
shr (16|M0)  r8.0<1>:ud  r44.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  56:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r44.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r43:1  0x0  0x02000504  {I@1,$11} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r43.0<1>:d  r9.0<1;1,0>:d  944:w  {$11.src}
shr (16|M0)  r8.0<1>:ud  r43.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  60:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r43.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r46:1  0x0  0x02000504  {I@1,$12} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r8.0<1>:d  r30.0<1;1,0>:d  256:w  {Compacted,$12.src}
send.slm (16|M0)  null  r8  r41:1  0x0  0x02000504  {I@1,$13} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r41.0<1>:d  r9.0<1;1,0>:d  192:w  {Compacted,$13.src}
shr (16|M0)  r8.0<1>:ud  r41.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  36:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r41.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r40:1  0x0  0x02000504  {I@1,$14} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r40.0<1>:d  r9.0<1;1,0>:d  320:w  {Compacted,$14.src}
shr (16|M0)  r8.0<1>:ud  r40.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  40:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r40.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r39:1  0x0  0x02000504  {I@1,$15} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r39.0<1>:d  r9.0<1;1,0>:d  448:w  {Compacted,$15.src}
shr (16|M0)  r8.0<1>:ud  r39.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  44:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r39.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r37:1  0x0  0x02000504  {I@1,$16} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r8.0<1>:d  r9.0<1;1,0>:d  576:w  {$16.src}
shr (16|M0)  acc0.0<1>:ud  r8.0<1;1,0>:ud  5:w  {I@1}
bfn.0xF8 (16|M0)  r8.0<1>:ud  acc0.0<1;0>:ud  r145.6<0;0>:ud  r8.0<1>:ud  // s0&s1|s2
shl (16|M0)  r8.0<1>:d  r8.0<1;1,0>:d  2:w  {Compacted,I@1}
send.slm (16|M0)  null  r8  r36:1  0x0  0x02000504  {I@1,$17} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r36.0<1>:d  r9.0<1;1,0>:d  704:w  {Compacted,$17.src}
shr (16|M0)  r8.0<1>:ud  r36.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  52:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r36.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r35:1  0x0  0x02000504  {I@1,$18} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r35.0<1>:d  r9.0<1;1,0>:d  832:w  {Compacted,$18.src}
shr (16|M0)  r8.0<1>:ud  r35.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  56:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r35.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r34:1  0x0  0x02000504  {I@1,$19} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r34.0<1>:d  r9.0<1;1,0>:d  960:w  {Compacted,$19.src}
shr (16|M0)  r8.0<1>:ud  r34.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  60:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r34.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r38:1  0x0  0x02000504  {I@1,$20} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r8.0<1>:d  r30.0<1;1,0>:d  320:w  {Compacted,$20.src}
or (16|M0)  r30.0<1>:d  r9.0<1;1,0>:d  208:w  {Compacted,$8.src}
send.slm (16|M0)  null  r8  r33:1  0x0  0x02000504  {I@2,$21} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r30.0<1;1,0>:ud  5:w  {@1,$21.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  36:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r30.0<1;1,0>:d
or (16|M0)  r30.0<1>:d  r9.0<1;1,0>:d  336:w  {Compacted}
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r32:1  0x0  0x02000504  {I@1,$22} // wr:1+1, rd:0; store.slm.d32.a32
shr (16|M0)  r8.0<1>:ud  r30.0<1;1,0>:ud  5:w  {$22.src}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  40:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r30.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r29:1  0x0  0x02000504  {I@1,$23} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r29.0<1>:d  r9.0<1;1,0>:d  464:w  {Compacted,$23.src}
shr (16|M0)  r8.0<1>:ud  r29.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  44:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r29.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r28:1  0x0  0x02000504  {I@1,$24} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r28.0<1>:d  r9.0<1;1,0>:d  592:w  {$24.src}
shr (16|M0)  r8.0<1>:ud  r28.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  48:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r28.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r26:1  0x0  0x02000504  {I@1,$25} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r26.0<1>:d  r9.0<1;1,0>:d  720:w  {Compacted,$25.src}
shr (16|M0)  r8.0<1>:ud  r26.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  52:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r26.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r25:1  0x0  0x02000504  {I@1,$26} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r25.0<1>:d  r9.0<1;1,0>:d  848:w  {Compacted,$26.src}
shr (16|M0)  r8.0<1>:ud  r25.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  56:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r25.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r24:1  0x0  0x02000504  {I@1,$27} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r24.0<1>:d  r9.0<1;1,0>:d  976:w  {$27.src}
shr (16|M0)  r8.0<1>:ud  r24.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  60:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r24.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
add (16|M0)  acc0.0<1>:d  r42.0<1;1,0>:d  96:w  {Compacted}
or (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r9.0<1;1,0>:d
send.slm (16|M0)  null  r8  r27:1  0x0  0x02000504  {I@3,$28} // wr:1+1, rd:0; store.slm.d32.a32
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w  {$28.src}
send.slm (16|M0)  null  r8  r23:1  0x0  0x02000504  {I@1,$29} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r23.0<1>:d  r9.0<1;1,0>:d  224:w  {Compacted,$29.src}
shr (16|M0)  r8.0<1>:ud  r23.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  36:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r23.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r22:1  0x0  0x02000504  {I@1,$30} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r22.0<1>:d  r9.0<1;1,0>:d  352:w  {Compacted,$30.src}
shr (16|M0)  r8.0<1>:ud  r22.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  40:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r22.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r21:1  0x0  0x02000504  {I@1,$31} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r21.0<1>:d  r9.0<1;1,0>:d  480:w  {Compacted,$31.src}
shr (16|M0)  r8.0<1>:ud  r21.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  44:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r21.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r20:1  0x0  0x02000504  {I@1,$0} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r20.0<1>:d  r9.0<1;1,0>:d  608:w  {$0.src}
shr (16|M0)  r8.0<1>:ud  r20.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  48:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r20.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r18:1  0x0  0x02000504  {I@1,$1} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r18.0<1>:d  r9.0<1;1,0>:d  736:w  {Compacted,$1.src}
shr (16|M0)  r8.0<1>:ud  r18.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  52:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r18.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r17:1  0x0  0x02000504  {I@1,$2} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r17.0<1>:d  r9.0<1;1,0>:d  864:w  {Compacted,$2.src}
shr (16|M0)  r8.0<1>:ud  r17.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  56:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r17.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r16:1  0x0  0x02000504  {I@1,$7} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r16.0<1>:d  r9.0<1;1,0>:d  992:w  {$7.src}
shr (16|M0)  r8.0<1>:ud  r16.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  60:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r16.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
add (16|M0)  acc0.0<1>:d  r42.0<1;1,0>:d  112:w  {Compacted}
or (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r9.0<1;1,0>:d
send.slm (16|M0)  null  r8  r19:1  0x0  0x02000504  {I@3,$8} // wr:1+1, rd:0; store.slm.d32.a32
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w  {$8.src}
send.slm (16|M0)  null  r8  r15:1  0x0  0x02000504  {I@1,$9} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r15.0<1>:d  r9.0<1;1,0>:d  240:w  {Compacted,$9.src}
shr (16|M0)  r8.0<1>:ud  r15.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  36:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r15.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r14:1  0x0  0x02000504  {I@1,$10} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r14.0<1>:d  r9.0<1;1,0>:d  368:w  {Compacted,$10.src}
shr (16|M0)  r8.0<1>:ud  r14.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  40:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r14.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r13:1  0x0  0x02000504  {I@1,$11} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r13.0<1>:d  r9.0<1;1,0>:d  496:w  {Compacted,$11.src}
shr (16|M0)  r8.0<1>:ud  r13.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  44:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r13.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r12:1  0x0  0x02000504  {I@1,$12} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r12.0<1>:d  r9.0<1;1,0>:d  624:w  {$12.src}
shr (16|M0)  r8.0<1>:ud  r12.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  48:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r12.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r10:1  0x0  0x02000504  {I@1,$13} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r10.0<1>:d  r9.0<1;1,0>:d  752:w  {Compacted,$13.src}
shr (16|M0)  r8.0<1>:ud  r10.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r8.0<1;1,0>:d  52:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r10.0<1;1,0>:d
shl (16|M0)  r8.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r8  r4:1  0x0  0x02000504  {I@1,$14} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r8.0<1>:d  r9.0<1;1,0>:d  880:w  {Compacted,$14.src}
shr (16|M0)  r4.0<1>:ud  r8.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r4.0<1;1,0>:d  56:w  {Compacted,I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r8.0<1;1,0>:d
shl (16|M0)  r4.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r4  r2:1  0x0  0x02000504  {I@1,$15} // wr:1+1, rd:0; store.slm.d32.a32
or (16|M0)  r4.0<1>:d  r9.0<1;1,0>:d  1008:w  {$15.src}
shr (16|M0)  r2.0<1>:ud  r4.0<1;1,0>:ud  5:w  {I@1}
and (16|M0)  acc0.0<1>:d  r2.0<1;1,0>:d  60:w  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r4.0<1;1,0>:d
shl (16|M0)  r2.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  null  r2  r11:1  0x0  0x02000504  {I@1,$16} // wr:1+1, rd:0; store.slm.d32.a32
sync.nop  null  {Compacted,$16.src}
(W)  send.slm (1|M0)  r2  r5  null:0  0x0  0x0210001F  {$17} // wr:1+0, rd:1; fence.slm.none.group
(W)  mov (8|M0)  null<1>:ud  r2.0<1;1,0>:ud  {Compacted,$17.dst}
(W)  mov (1|M0)  r2.2<1>:f  3.58732e-43:f  {I@1}
(W)  mov (2|M0)  r2.10<1>:ub  r5.11<0;1,0>:ub  {F@1}
(W)  send.gtwy (1|M0)  null  r2  null:0  0x0  0x02000004  {I@1,$18} // wr:1+0, rd:0; signal barrier
(W)  sync.bar  0x0
or (16|M0)  r4.0<1>:d  r31.0<1;1,0>:d  512:w
cmp (16|M0)  (lt)f3.0  null<1>:d  r146.0<1;1,0>:d  3:w
shr (16|M0)  r2.0<1>:ud  r4.0<1;1,0>:ud  5:w  {@2,$18.src}
and (16|M0)  acc0.0<1>:d  r2.0<1;1,0>:d  67108860:d  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r4.0<1;1,0>:d
or (16|M0)  r4.0<1>:d  r31.0<1;1,0>:d  1024:w
shl (16|M0)  r2.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  r18  r2  null:0  0x0  0x02403500  {I@1,$19} // wr:1+0, rd:4; load.slm.d32x4.a32
shr (16|M0)  r2.0<1>:ud  r4.0<1;1,0>:ud  5:w  {$19.src}
and (16|M0)  acc0.0<1>:d  r2.0<1;1,0>:d  67108860:d  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r4.0<1;1,0>:d
or (16|M0)  r4.0<1>:d  r31.0<1;1,0>:d  1536:w
shl (16|M0)  r2.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  r22  r2  null:0  0x0  0x02403500  {I@1,$20} // wr:1+0, rd:4; load.slm.d32x4.a32
shr (16|M0)  r2.0<1>:ud  r4.0<1;1,0>:ud  5:w  {$20.src}
and (16|M0)  acc0.0<1>:d  r2.0<1;1,0>:d  67108860:d  {I@1}
add (16|M0)  acc0.0<1>:d  acc0.0<1;1,0>:d  r4.0<1;1,0>:d
shl (16|M0)  r2.0<1>:d  acc0.0<1;1,0>:d  2:w
send.slm (16|M0)  r26  r2  null:0  0x0  0x02403500  {I@1,$21} // wr:1+0, rd:4; load.slm.d32x4.a32
(~f3.0) goto (16|M0)  L31760  L31760
L31600:
shr (16|M0)  r2.0<1>:ud  r52.0<1;1,0>:ud  5:w  {$21.src}
add (16|M0)  acc0.0<1>:d  r31.0<1;1,0>:d  r2.0<1;1,0>:d  {I@1}
shl (16|M0)  r2.0<1>:d  acc0.0<1;1,0>:d  2:w
or (16|M0)  acc0.0<1>:d  r139.0<1;1,0>:d  r118.2<0;1,0>:d
send.slm (16|M0)  r14  r2  null:0  0x0  0x02403500  {I@2,$22} // wr:1+0, rd:4; load.slm.d32x4.a32
shl (16|M0)  r2.0<1>:d  acc0.0<1;1,0>:d  7:w  {$22.src}
mov (16|M0)  r8.0<2>:ud  r2.0<1;1,0>:ud  {Compacted,I@1}
shl (16|M0)  r12.0<1>:q  r8.0<2;1,0>:d  2:w  {I@1}
add (16|M0)  r10.0<1>:q  r3.1<0;1,0>:q  r12.0<1;1,0>:q  {Compacted,I@1}
add (16|M0)  r8.0<1>:q  r10.0<1;1,0>:q  r6.0<1;1,0>:q  {I@1}
send.ugm (16|M0)  null  r8  r14:4  0x0  0x04003584  {I@1,$22} // wr:2+4, rd:0; store.ugm.d32x4.a64
L31760:
join (16|M0)  L31776
L31776:
cmp (16|M0)  (lt)f2.1  null<1>:d  r149.0<1;1,0>:d  3:w
(~f2.1) goto (16|M0)  L31888  L31888
L31808:
bfn.0xFE (16|M0)  r2.0<1>:ud  r139.0<1;0>:ud  r145.11<0;0>:ud  r118.2<0>:ud  {$21.src} // s0|s1|s2
shl (16|M0)  r2.0<1>:d  r2.0<1;1,0>:d  7:w  {Compacted,I@1}
mov (16|M0)  r8.0<2>:ud  r2.0<1;1,0>:ud  {Compacted,@1,$22.src}
shl (16|M0)  r12.0<1>:q  r8.0<2;1,0>:d  2:w  {I@1}
add (16|M0)  r10.0<1>:q  r3.1<0;1,0>:q  r12.0<1;1,0>:q  {Compacted,I@1}
add (16|M0)  r8.0<1>:q  r10.0<1;1,0>:q  r6.0<1;1,0>:q  {Compacted,I@1}
send.ugm (16|M0)  null  r8  r18:4  0x0  0x04003584  {I@1,$19} // wr:2+4, rd:0; store.ugm.d32x4.a64
L31888:
join (16|M0)  L31904
L31904:
cmp (16|M0)  (lt)f2.0  null<1>:d  r150.0<1;1,0>:d  3:w
(~f2.0) goto (16|M0)  L32032  L32032
L31936:
bfn.0xFE (16|M0)  r2.0<1>:ud  r139.0<1;0>:ud  r145.12<0;0>:ud  r118.2<0>:ud  {$21.src} // s0|s1|s2
shl (16|M0)  r2.0<1>:d  r2.0<1;1,0>:d  7:w  {Compacted,I@1}
sync.nop  null  {Compacted,$19.src}
mov (16|M0)  r8.0<2>:ud  r2.0<1;1,0>:ud  {Compacted,@1,$22.src}
shl (16|M0)  r12.0<1>:q  r8.0<2;1,0>:d  2:w  {I@1}
add (16|M0)  r10.0<1>:q  r3.1<0;1,0>:q  r12.0<1;1,0>:q  {Compacted,I@1}
add (16|M0)  r8.0<1>:q  r10.0<1;1,0>:q  r6.0<1;1,0>:q  {I@1}
send.ugm (16|M0)  null  r8  r22:4  0x0  0x04003584  {I@1,$20} // wr:2+4, rd:0; store.ugm.d32x4.a64
L32032:
join (16|M0)  L32048
L32048:
cmp (16|M0)  (lt)f1.1  null<1>:d  r167.0<1;1,0>:d  3:w
(~f1.1) goto (16|M0)  L32176  L32176
L32080:
bfn.0xFE (16|M0)  r2.0<1>:ud  r139.0<1;0>:ud  r168.6<0;0>:ud  r118.2<0>:ud  {$21.src} // s0|s1|s2
shl (16|M0)  r2.0<1>:d  r2.0<1;1,0>:d  7:w  {Compacted,I@1}
sync.allrd  ($19,$20)
mov (16|M0)  r8.0<2>:ud  r2.0<1;1,0>:ud  {Compacted,@1,$22.src}
shl (16|M0)  r12.0<1>:q  r8.0<2;1,0>:d  2:w  {I@1}
add (16|M0)  r10.0<1>:q  r3.1<0;1,0>:q  r12.0<1;1,0>:q  {Compacted,I@1}
add (16|M0)  r8.0<1>:q  r10.0<1;1,0>:q  r6.0<1;1,0>:q  {Compacted,I@1}
send.ugm (16|M0)  null  r8  r26:4  0x0  0x04003584  {I@1,$21} // wr:2+4, rd:0; store.ugm.d32x4.a64
L32176:
join (16|M0)  L32192
L32192:
sync.nop  null  {Compacted,$21.src}
(W)  send.slm (1|M0)  r2  r5  null:0  0x0  0x0210001F  {$23} // wr:1+0, rd:1; fence.slm.none.group
(W)  mov (8|M0)  null<1>:ud  r2.0<1;1,0>:ud  {Compacted,$23.dst}
(W)  mov (1|M0)  r2.2<1>:f  3.58732e-43:f  {I@1}
(W)  mov (2|M0)  r2.10<1>:ub  r5.11<0;1,0>:ub  {F@1}
(W)  send.gtwy (1|M0)  null  r2  null:0  0x0  0x02000004  {I@1,$24} // wr:1+0, rd:0; signal barrier
(W)  sync.bar  0x0
cmp (16|M0)  (eq)f0.0  null<2>:w  r1.0<1;1,0>:w  0:w
(~f0.0) goto (16|M0)  L32608  L32608
L32320:
(W)  send.ugm (1|M0)  r1  r5  null:0  0x0  0x0210061F  {I@2,$25} // wr:1+0, rd:1; fence.ugm.none.gpu
(W)  mov (8|M0)  null<1>:ud  r1.0<1;1,0>:ud  {Compacted,$25.dst}
(W)  mov (16|M0)  r1.0<1>:d  0:w  {Compacted}
mov (16|M0)  r1.0<1>:d  1:w
(W)  add (8|M0)  r1.1<2>:d  r1.0<2;1,0>:d  r1.1<2;1,0>:d  {I@1}
(W)  add (4|M0)  r1.2<4>:d  r1.2<4;1,0>:d  r1.1<4;1,0>:d  {I@1}
(W)  add (4|M0)  r1.3<4>:d  r1.3<4;1,0>:d  r1.1<4;1,0>:d  {I@1}
(W)  add (4|M0)  r1.4<1>:d  r1.3<0;1,0>:d  r1.4<1;1,0>:d  {I@1}
(W)  add (4|M0)  r1.12<1>:d  r1.11<0;1,0>:d  r1.12<1;1,0>:d
(W)  add (8|M0)  r1.8<1>:d  r1.7<0;1,0>:d  r1.8<1;1,0>:d  {I@1}
(W)  mov (1|M0)  r144.0<1>:d  r1.15<0;1,0>:d  {I@1}
sync.nop  null  {$6.dst}
(W)  send.ugm (1|M0)  r144  r118  r144:1  0x0  0x0410058C  {I@1,$26} // wr:2+1, rd:1; atomic_iadd.ugm.d32.a64
(W)  add (16|M0)  acc0.0<1>:d  r1.0<1;1,0>:d  r144.0<0;1,0>:ud {$26.dst}
add (16|M0)  r2.0<1>:d  acc0.0<1;1,0>:d  -1:w  {$24.src}
(W)  send.ugm (1|M0)  r1  r5  null:0  0x0  0x0210261F  {I@2,$27} // wr:1+0, rd:1; fence.ugm.invalidate.gpu
(W)  mov (8|M0)  null<1>:ud  r1.0<1;1,0>:ud  {$27.dst}
mov (16|M0)  r1.0<1>:ud  0x0:uw
send.slm (16|M0)  null  r1  r2:1  0x0  0x02000504  {I@1,$28} // wr:1+1, rd:0; store.slm.d32.a32
L32608:
join (16|M0)  L32624
L32624:
sync.nop  null  {$28.src}
(W)  send.slm (1|M0)  r1  r5  null:0  0x0  0x0210001F  {$29} // wr:1+0, rd:1; fence.slm.none.group
(W)  mov (8|M0)  null<1>:ud  r1.0<1;1,0>:ud  {$29.dst}
(W)  mov (1|M0)  r1.2<1>:f  3.58732e-43:f  {I@1}
(W)  mov (2|M0)  r1.10<1>:ub  r5.11<0;1,0>:ub  {F@1}
(W)  send.gtwy (1|M0)  null  r1  null:0  0x0  0x02000004  {I@1,$30} // wr:1+0, rd:0; signal barrier
(W)  sync.bar  0x0
(W)  mov (1|M0)  r144.0<1>:ud  0x0:uw
(W)  send.slm (1|M0)  r144  r144  null:0  0x0  0x02108500  {I@1,$31} // wr:1+0, rd:1; load.slm.d32x1t.a32
(W)  cmp (16|M0)  (eq)f1.0  null<1>:d  r144.0<0;1,0>:d  3:w  {$31.dst}
(W&~f1.0) jmpi  L35816
L32800:
sync.allrd  ($19,$20,$21)
mov (16|M0)  r8.0<2>:ud  r139.0<1;1,0>:ud  {$22.src}
shl (16|M0)  r22.0<1>:q  r8.0<2;1,0>:ud  2:w  {@1,$20.dst}
add (16|M0)  r14.0<1>:q  r3.0<0;1,0>:q  r22.0<1;1,0>:q  {Compacted,I@1}
(f3.0)  goto (16|M0)  L32928  L32928
L32872:
mov (16|M0)  r1.0<1>:ud  0x0:ud  {Compacted,$30.src}
mov (16|M0)  r13.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r4.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r12.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r28.0<1>:f  0.0:f  {Compacted,$21.dst}
goto (16|M0)  L32928  L33128
L32928:
join (16|M0)  L33128
L32944:
(W)  add (1|M0)  r3.2<1>:q  r3.0<0;1,0>:q  128:w
send.ugm (16|M0)  r4  r14  null:0  0x0  0x04100580  {A@3,$0} // wr:2+0, rd:1; load.ugm.d32.a64
add (16|M0)  r8.0<1>:q  r3.2<0;1,0>:q  r22.0<1;1,0>:q  {Compacted,I@1}
(W)  add (1|M0)  r3.2<1>:q  r3.0<0;1,0>:q  256:w  {Compacted}
send.ugm (16|M0)  r12  r8  null:0  0x0  0x04100580  {A@2,$1} // wr:2+0, rd:1; load.ugm.d32.a64
add (16|M0)  r8.0<1>:q  r3.2<0;1,0>:q  r22.0<1;1,0>:q  {Compacted,@1,$1.src}
(W)  add (1|M0)  r3.2<1>:q  r3.0<0;1,0>:q  384:w  {Compacted}
send.ugm (16|M0)  r13  r8  null:0  0x0  0x04100580  {I@2,$2} // wr:2+0, rd:1; load.ugm.d32.a64
add (16|M0)  r8.0<1>:q  r3.2<0;1,0>:q  r22.0<1;1,0>:q  {Compacted,@1,$2.src}
sync.nop  null  {Compacted,$24.src}
send.ugm (16|M0)  r2  r8  null:0  0x0  0x04100580  {I@1,$7} // wr:2+0, rd:1; load.ugm.d32.a64
sel (16|M0)  (ge)f0.0  acc0.0<1>:f  r4.0<1;1,0>:f  -inf:f  {Compacted,$0.dst}
sel (16|M0)  (ge)f0.0  acc0.0<1>:f  acc0.0<1;1,0>:f  r12.0<1;1,0>:f  {Compacted,$1.dst}
sync.nop  null  {Compacted,$30.src}
sel (16|M0)  (ge)f0.0  r1.0<1>:f  acc0.0<1;1,0>:f  r13.0<1;1,0>:f  {Compacted,$2.dst}
sync.nop  null  {Compacted,F@4}
sync.nop  null  {Compacted,$7.dst}
mov (16|M0)  r28.0<1>:ud  r2.0<1;1,0>:ud  {Compacted,$21.dst}
L33128:
join (16|M0)  L33144
L33144:
sel (16|M0)  (ge)f0.0  acc0.0<1>:f  r1.0<1;1,0>:f  r28.0<1;1,0>:f  {Compacted,A@1}
sync.nop  null  {Compacted,F@1}
shl (16|M0)  r1.0<1>:d  r139.0<1;1,0>:d  9:w  {Compacted,$30.src}
cmp (16|M0)  (eq)f0.1  null<1>:f  acc0.0<1;1,0>:f  -inf:f
mov (16|M0)  r8.0<2>:ud  r1.0<1;1,0>:ud  {I@1}
add (16|M0)  r10.0<1>:q  r3.1<0;1,0>:q  r8.0<2;1,0>:ud  {I@1}
(~f0.1) sel (16|M0)  r2.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {$24.src}
add (16|M0)  r24.0<1>:q  r10.0<1;1,0>:q  r6.0<1;1,0>:q  {Compacted,I@1}
add (16|M0)  r1.0<1>:f  r4.0<1;1,0>:f  -r2.0<1;1,0>:f  {Compacted,F@1}
math.exp (16|M0)  r27.0<1>:f  r1.0<1;1,0>:f  {@1,$21.dst}
(f3.0)  goto (16|M0)  L33344  L33344
L33280:
mov (16|M0)  r29.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r18.0<1>:ud  0x0:ud  {Compacted,$19.dst}
mov (16|M0)  r19.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r20.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r21.0<1>:f  0.0:f
goto (16|M0)  L33344  L33392
L33344:
join (16|M0)  L33392
L33360:
send.ugm (16|M0)  r29  r14  null:0  0x40000  0x04100580  {I@4,$8} // wr:2+0, rd:1; load.ugm.d32.a64.flat[A+0x40]
send.ugm (16|M0)  r18  r24  null:0  0x0  0x04403580  {A@1,$19} // wr:2+0, rd:4; load.ugm.d32x4.a64
L33392:
join (16|M0)  L33408
L33408:
add (16|M0)  r1.0<1>:f  r12.0<1;1,0>:f  -r2.0<1;1,0>:f  {Compacted,M@1}
math.exp (16|M0)  r26.0<1>:f  r1.0<1;1,0>:f  {F@1}
(f3.0)  goto (16|M0)  L33504  L33504
L33448:
mov (16|M0)  r9.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r14.0<1>:ud  0x0:ud  {Compacted,$8.src}
mov (16|M0)  r15.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r16.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r17.0<1>:f  0.0:f  {Compacted}
goto (16|M0)  L33504  L33576
L33504:
join (16|M0)  L33576
L33520:
(W)  add (1|M0)  r3.1<1>:q  r3.0<0;1,0>:q  128:w
send.ugm (16|M0)  r14  r24  null:0  0x2000000  0x04403580  {A@1,$9} // wr:2+0, rd:4; load.ugm.d32x4.a64.flat[A+0x2000]
add (16|M0)  r6.0<1>:q  r3.1<0;1,0>:q  r22.0<1;1,0>:q  {Compacted,I@1}
send.ugm (16|M0)  r9  r6  null:0  0x40000  0x04100580  {I@1,$10} // wr:2+0, rd:1; load.ugm.d32.a64.flat[A+0x40]
L33576:
join (16|M0)  L33592
L33592:
add (16|M0)  r1.0<1>:f  r13.0<1;1,0>:f  -r2.0<1;1,0>:f  {Compacted,M@1}
math.exp (16|M0)  r4.0<1>:f  r1.0<1;1,0>:f  {F@1}
(f3.0)  goto (16|M0)  L33688  L33688
L33632:
mov (16|M0)  r8.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r10.0<1>:ud  0x0:ud  {Compacted}
mov (16|M0)  r11.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r12.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r13.0<1>:f  0.0:f  {Compacted}
goto (16|M0)  L33688  L33752
L33688:
join (16|M0)  L33752
L33704:
(W)  add (1|M0)  r3.1<1>:q  r3.0<0;1,0>:q  256:w  {Compacted}
send.ugm (16|M0)  r10  r24  null:0  0x4000000  0x04403580  {A@1,$11} // wr:2+0, rd:4; load.ugm.d32x4.a64.flat[A+0x4000]
add (16|M0)  r6.0<1>:q  r3.1<0;1,0>:q  r22.0<1;1,0>:q  {Compacted,@1,$10.src}
send.ugm (16|M0)  r8  r6  null:0  0x40000  0x04100580  {I@1,$12} // wr:2+0, rd:1; load.ugm.d32.a64.flat[A+0x40]
L33752:
join (16|M0)  L33768
L33768:
add (16|M0)  r1.0<1>:f  r28.0<1;1,0>:f  -r2.0<1;1,0>:f  {Compacted,M@1}
math.exp (16|M0)  r2.0<1>:f  r1.0<1;1,0>:f  {F@1}
(f3.0)  goto (16|M0)  L33880  L33880
L33808:
mov (16|M0)  r1.0<1>:ud  0x3F800000:ud  {M@1}
sync.nop  null  {Compacted,$12.src}
mov (16|M0)  r6.0<1>:ud  0x0:ud  {Compacted,$10.src}
mov (16|M0)  r7.0<1>:f  0.0:f  {Compacted}
mov (16|M0)  r8.0<1>:f  0.0:f  {Compacted,$12.dst}
mov (16|M0)  r9.0<1>:f  0.0:f  {Compacted,$10.dst}
goto (16|M0)  L33880  L34008
L33880:
join (16|M0)  L34008
L33896:
(W)  add (1|M0)  r3.0<1>:q  r3.0<0;1,0>:q  384:w  {Compacted}
mul (16|M0)  acc0.0<1>:f  r27.0<1;1,0>:f  r29.0<1;1,0>:f  {Compacted,$8.dst}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
add (16|M0)  r28.0<1>:q  r3.0<0;1,0>:q  r22.0<1;1,0>:q  {Compacted,A@1}
mul (16|M0)  acc1.0<1>:f  r26.0<1;1,0>:f  r9.0<1;1,0>:f  {Compacted,$10.dst}
send.ugm (16|M0)  r1  r28  null:0  0x40000  0x04100580  {I@1,$13} // wr:2+0, rd:1; load.ugm.d32.a64.flat[A+0x40]
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc1.0<1>:f  r4.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted,$12.dst}
send.ugm (16|M0)  r6  r24  null:0  0x6000000  0x04403580  {F@1,$14} // wr:2+0, rd:4; load.ugm.d32x4.a64.flat[A+0x6000]
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc1.0<1>:f  r2.0<1;1,0>:f  r1.0<1;1,0>:f  {Compacted,$13.dst}
add (16|M0)  r1.0<1>:f  acc0.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted}
L34008:
join (16|M0)  L34024
L34024:
(~f3.0) goto (16|M0)  L35760  L35760
L34040:
mul (16|M0)  acc0.0<1>:f  r27.0<1;1,0>:f  r18.0<1;1,0>:f  {Compacted,$19.dst}
mul (16|M0)  acc1.0<1>:f  r27.0<1;1,0>:f  r19.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc2.0<1>:f  r27.0<1;1,0>:f  r20.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc3.0<1>:f  r27.0<1;1,0>:f  r21.0<1;1,0>:f  {Compacted}
(W)  mov (1|M0)  r3.11<1>:f  0x4F800000:f
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0.0:f  {Compacted}
and (16|M0)  (eq)f2.1  null<1>:d  r1.0<1;1,0>:d  8388607:d  {F@7}
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  0.0:f  {Compacted}
(W)  mov (1|M0)  r3.20<1>:hf  0x1:hf
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  0.0:f  {Compacted}
and (16|M0)  (eq)f2.0  null<1>:d  r1.0<1;1,0>:d  8388607:d
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  0.0:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r26.0<1;1,0>:f  r14.0<1;1,0>:f  {Compacted,$9.dst}
mul (16|M0)  acc5.0<1>:f  r26.0<1;1,0>:f  r15.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc6.0<1>:f  r26.0<1;1,0>:f  r16.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc7.0<1>:f  r26.0<1;1,0>:f  r17.0<1;1,0>:f  {Compacted}
(f2.1)  sel (16|M0)  r3.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw  {F@7}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted}
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted}
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r4.0<1;1,0>:f  r10.0<1;1,0>:f  {Compacted,$11.dst}
mul (16|M0)  acc5.0<1>:f  r4.0<1;1,0>:f  r11.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc6.0<1>:f  r4.0<1;1,0>:f  r12.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc7.0<1>:f  r4.0<1;1,0>:f  r13.0<1;1,0>:f  {Compacted}
and (16|M0)  (eq)f0.1  r4.0<1>:d  r1.0<1;1,0>:d  2139095040:d  {F@1}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted}
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted}
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
cmp (16|M0)  (ge)f3.1  null<1>:d  r4.0<1;1,0>:ud  0x64000000:ud  {I@1}
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc4.0<1>:f  r2.0<1;1,0>:f  r6.0<1;1,0>:f  {Compacted,$14.dst}
mul (16|M0)  acc5.0<1>:f  r2.0<1;1,0>:f  r7.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc6.0<1>:f  r2.0<1;1,0>:f  r8.0<1;1,0>:f  {Compacted}
mul (16|M0)  acc7.0<1>:f  r2.0<1;1,0>:f  r9.0<1;1,0>:f  {Compacted}
add (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted}
add (16|M0)  acc1.0<1>:f  acc1.0<1;1,0>:f  acc5.0<1;1,0>:f  {Compacted}
add (16|M0)  acc2.0<1>:f  acc2.0<1;1,0>:f  acc6.0<1;1,0>:f  {Compacted}
add (16|M0)  acc3.0<1>:f  acc3.0<1;1,0>:f  acc7.0<1;1,0>:f  {Compacted}
(f0.1)  sel (16|M0)  acc4.0<1>:f  r3.11<0;1,0>:f  1.0:f  {Compacted}
(~f3.1) sel (16|M0)  acc4.0<1>:f  acc4.0<1;1,0>:f  0x2F800000:f
cmp (16|M0)  (eq)f3.1  null<1>:d  r4.0<1;1,0>:d  0:w  {F@1}
and (16|M0)  (eq)f3.0  r4.0<1>:d  r1.0<1;1,0>:d  2139095040:d
mul (16|M0)  r2.0<1>:f  r1.0<1;1,0>:f  acc4.0<1;1,0>:f
math.inv (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  {F@1}
cmp (16|M0)  (ge)f2.1  null<1>:d  r4.0<1;1,0>:ud  0x64000000:ud  {I@1}
mul (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted,M@1}
mul (16|M0)  acc4.0<1>:f  r2.0<1;1,0>:f  acc4.0<1;1,0>:f  {Compacted,F@1}
(f3.1)  sel (16|M0)  r2.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw  {F@1}
or (16|M0)  (ne)f3.1  null<2>:uw  r2.0<1;1,0>:uw  r3.0<1;1,0>:uw  {I@1}
(f2.0)  sel (16|M0)  r3.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw
(W)  not (1|M0)  f1.1<1>:uw  f3.1<0;1,0>:uw
(f1.1)  cmp (16|M0)  (eq)f1.1  null<1>:f  acc0.0<1;1,0>:f  r1.0<1;1,0>:f  {I@1}
(~f1.1) sel (16|M0)  r8.0<1>:f  acc4.0<1;1,0>:f  1.0:f  {$12.dst}
(f3.0)  sel (16|M0)  acc0.0<1>:f  r3.11<0;1,0>:f  1.0:f
cmp (16|M0)  (eq)f3.0  null<1>:d  r4.0<1;1,0>:d  0:w  {F@1}
and (16|M0)  (eq)f2.0  r4.0<1>:d  r1.0<1;1,0>:d  2139095040:d
(~f2.1) sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0x2F800000:f
mov (16|M0)  r10.0<2>:bf  r8.0<1;1,0>:f
mul (16|M0)  r2.0<1>:f  r1.0<1;1,0>:f  acc0.0<1;1,0>:f
cmp (16|M0)  (ge)f1.1  null<1>:d  r4.0<1;1,0>:ud  0x64000000:ud  {I@1}
cmp (16|M0)  (eq)f2.1  null<1>:d  r4.0<1;1,0>:d  0:w  {F@3}
math.inv (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  {F@1}
mul (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  acc1.0<1;1,0>:f  {Compacted,M@1}
mul (16|M0)  acc0.0<1>:f  r2.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted,F@1}
(f3.0)  sel (16|M0)  r2.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw  {F@1}
or (16|M0)  (ne)f3.0  null<2>:uw  r2.0<1;1,0>:uw  r3.0<1;1,0>:uw  {I@1}
(W)  not (1|M0)  f1.0<1>:uw  f3.0<0;1,0>:uw
(f1.0)  cmp (16|M0)  (eq)f1.0  null<1>:f  acc1.0<1;1,0>:f  r1.0<1;1,0>:f  {I@1}
(~f1.0) sel (16|M0)  r7.0<1>:f  acc0.0<1;1,0>:f  1.0:f  {$10.src}
(f2.0)  sel (16|M0)  acc0.0<1>:f  r3.11<0;1,0>:f  1.0:f
and (16|M0)  (eq)f1.0  r4.0<1>:d  r1.0<1;1,0>:d  2139095040:d  {F@2}
mov (16|M0)  r10.1<2>:bf  r7.0<1;1,0>:f
(~f1.1) sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0x2F800000:f
and (16|M0)  (eq)f1.1  null<1>:d  r1.0<1;1,0>:d  8388607:d  {F@1}
cmp (16|M0)  (eq)f2.0  null<1>:d  r4.0<1;1,0>:d  0:w  {I@2}
mul (16|M0)  r2.0<1>:f  r1.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
(f1.1)  sel (16|M0)  r3.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw
math.inv (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  {F@1}
mul (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  acc2.0<1;1,0>:f  {Compacted,M@1}
mul (16|M0)  acc0.0<1>:f  r2.0<1;1,0>:f  acc0.0<1;1,0>:f  {F@1}
(f2.1)  sel (16|M0)  r2.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw  {F@1}
or (16|M0)  (ne)f2.1  null<2>:uw  r2.0<1;1,0>:uw  r3.0<1;1,0>:uw  {I@1}
(W)  not (1|M0)  f0.1<1>:uw  f2.1<0;1,0>:uw
(f0.1)  cmp (16|M0)  (eq)f0.1  null<1>:f  acc2.0<1;1,0>:f  r1.0<1;1,0>:f  {I@1}
(~f0.1) sel (16|M0)  r6.0<1>:f  acc0.0<1;1,0>:f  1.0:f
cmp (16|M0)  (ge)f0.1  null<1>:d  r4.0<1;1,0>:ud  0x64000000:ud  {F@1}
(f1.0)  sel (16|M0)  acc0.0<1>:f  r3.11<0;1,0>:f  1.0:f
and (16|M0)  (eq)f1.0  null<1>:d  r1.0<1;1,0>:d  8388607:d  {F@1}
mov (16|M0)  r11.0<2>:bf  r6.0<1;1,0>:f
(~f0.1) sel (16|M0)  acc0.0<1>:f  acc0.0<1;1,0>:f  0x2F800000:f
mov (16|M0)  r6.0<2>:ud  r146.0<1;1,0>:ud  {F@2}
(f1.0)  sel (16|M0)  r3.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw
mul (16|M0)  r2.0<1>:f  r1.0<1;1,0>:f  acc0.0<1;1,0>:f  {Compacted}
math.inv (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  {F@1}
mul (16|M0)  r2.0<1>:f  r2.0<1;1,0>:f  acc3.0<1;1,0>:f  {Compacted,M@1}
mul (16|M0)  acc0.0<1>:f  r2.0<1;1,0>:f  acc0.0<1;1,0>:f  {F@1}
(f2.0)  sel (16|M0)  r2.0<1>:uw  r3.20<0;1,0>:uw  0x0:uw  {F@1}
or (16|M0)  (ne)f2.0  null<2>:uw  r2.0<1;1,0>:uw  r3.0<1;1,0>:uw  {I@1}
(W)  mul (1|M0)  r3.0<1>:d  r145.5<0;1,0>:d  0x3:uw
(W)  mul (1|M0)  r3.2<1>:ud  r118.13<0;1,0>:ud  0x3:uw
(W)  not (1|M0)  f3.1<1>:uw  f2.0<0;1,0>:uw
(f3.1)  cmp (16|M0)  (eq)f3.1  null<1>:f  acc3.0<1;1,0>:f  r1.0<1;1,0>:f  {I@1}
(~f3.1) sel (16|M0)  r1.0<1>:f  acc0.0<1;1,0>:f  1.0:f
(W)  mul (1|M0)  acc0.0<1>:ud  r118.13<0;1,0>:ud  0x3:uw  {F@1}
(W)  mach (1|M0)  r144.0<1>:d  r118.13<0;1,0>:ud  0x3:ud
mov (16|M0)  r11.1<2>:bf  r1.0<1;1,0>:f
(W)  add (1|M0)  r3.3<1>:d  r144.0<0;1,0>:d  r3.0<0;1,0>:d  {I@1}
(W)  shl (1|M0)  r3.0<1>:d  r144.5<0;1,0>:d  7:w
add (16|M0)  r8.0<1>:q  r3.1<0;1,0>:q  r6.0<2;1,0>:d  {@2,$10.dst}
(W)  asr (1|M0)  r3.1<1>:d  r3.0<0;1,0>:d  31:w  {Compacted,I@2}
mov (16|M0)  r2.0<1>:d  r8.0<2;1,0>:d  {Compacted,I@2}
(W)  mul (16|M0)  acc0.0<1>:ud  r2.0<1;1,0>:ud  r3.0<0;1,0>:uw  {I@1}
macl (16|M0)  r1.0<1>:ud  r2.0<1;1,0>:ud  r3.0<0;1,0>:ud  {F@1}
(W)  mul (16|M0)  acc0.0<1>:ud  r2.0<1;1,0>:ud  r3.0<0;1,0>:uw
mach (16|M0)  r4.0<1>:d  r2.0<1;1,0>:ud  r3.0<0;1,0>:ud
(W)  mul (16|M0)  acc0.0<1>:d  r2.0<1;1,0>:ud  r3.2<0;1,0>:uw
mov (16|M0)  r12.0<2>:ud  r1.0<1;1,0>:ud  {I@4}
macl (16|M0)  r1.0<1>:d  r2.0<1;1,0>:ud  r3.1<0;1,0>:d
(W)  mul (16|M0)  acc0.0<1>:d  r3.0<0;1,0>:ud  r8.2<4;1,0>:uw
add (16|M0)  r4.0<1>:d  r4.0<1;1,0>:d  r1.0<1;1,0>:d  {Compacted,I@2}
macl (16|M0)  r1.0<1>:d  r3.0<0;1,0>:ud  r8.1<2;1,0>:d
(W)  shl (1|M0)  r3.0<1>:d  r118.12<0;1,0>:d  7:w  {Compacted}
add (16|M0)  r12.1<2>:d  r4.0<1;1,0>:d  r1.0<1;1,0>:d  {I@2}
add (16|M0)  r6.0<1>:q  r12.0<1;1,0>:q  r3.0<0;1,0>:d  {I@1}
mov (16|M0)  r12.1<2>:d  r6.1<2;1,0>:d  {I@1}
or (16|M0)  r12.0<2>:d  r6.0<2;1,0>:d  r143.0<1;1,0>:d
mov (16|M0)  r1.0<1>:d  r6.0<2;1,0>:d  {Compacted}
shl (16|M0)  r8.0<1>:q  r12.0<1;1,0>:q  1:w  {Compacted,I@2}
add (16|M0)  r6.0<1>:q  r8.0<1;1,0>:q  r3.4<0;1,0>:q  {I@1}
send.ugm (16|M0)  null  r6  r10:2  0x0  0x04001584  {I@1,$15} // wr:2+2, rd:0; store.ugm.d32x2.a64
L35760:
join (16|M0)  L35776
L35776:
(~f0.0) goto (16|M0)  L35816  L35816
L35792:
(W)  mov (1|M0)  r1.0<1>:d  0:w  {Compacted}
(W)  send.ugm (1|M0)  null  r118  r1:1  0x0  0x02008584  {I@1,$16} // wr:1+1, rd:0; store.ugm.d32x1t.a64
L35816:
join (16|M0)  L35832
L35832:
(W)  mov (16|M0)  r240.0<1>:f  r5.0<1;1,0>:f  {Compacted}
(W)  send.gtwy (1|M0)  null  r240  null:0  0x0  0x02000010  {EOT,F@1,$17} // wr:1+0, rd:0; end of thread
L35856:
(W)  mov (16|M0)  null<1>:ud  0x990DACE6:ud
(W)  mov (16|M0)  null<1>:ud  0xA6A6F43E:ud
(W)  mov (16|M0)  null<1>:ud  0x0:ud
(W)  mov (16|M0)  null<1>:ud  0x1:ud
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
illegal
