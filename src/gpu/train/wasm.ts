/**
 * A module of WebAssembly, said in words: just what the optimiser needs, assembled when it is first used. So there is no
 * binary to trust and no toolchain to install.
 */

export type Memory = { readonly buffer: ArrayBuffer }
/** What is used of the interface; TypeScript has it among the types of browsers only. */
type WebAssemblyApi = {
  readonly Memory: new (size: { readonly initial: number }) => Memory
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
}
export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly

/** Opcodes by the names of the specification; those with two bytes belong to SIMD. */
export const I = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  branch: (depth: number) => [0x0c, depth],
  branchIf: (depth: number) => [0x0d, depth],
  end: [0x0b],
  get: (local: number) => [0x20, local],
  set: (local: number) => [0x21, local],
  i32: (value: number) => [0x41, ...signed(value)],
  add: [0x6a],
  sub: [0x6b],
  atLeast: [0x4f], // i32.ge_u
  f32Load: [0x2a, 2, 0],
  f64Add: [0xa0],
  f64Mul: [0xa2],
  promote: [0xbb],
  f32Sub: [0x93],
  f32: (value: number) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
  load4: [0xfd, 0, 4, 0],
  /** Four numbers of sixteen bits, each into 32 bits of its own. */
  load4Halves: [0xfd, 4, 3, 0],
  store4: [0xfd, 11, 4, 0],
  splat4: [0xfd, 19],
  splat4Bits: [0xfd, 17],
  /** The same 32 bits four times. */
  bits4: (bits: number) => [0xfd, 12, ...new Uint8Array(Int32Array.of(bits, bits, bits, bits).buffer)],
  isLess4: [0xfd, 0x39], // i32x4.lt_s
  atLeast4: [0xfd, 0x46], // f32x4.ge
  and4: [0xfd, 0x4e],
  or4: [0xfd, 0x50],
  /** Of the first where the third has ones, of the second elsewhere. */
  select4: [0xfd, 0x52],
  /** Eight numbers into sixteen bits each. */
  narrow8: [0xfd, 0x86, 1],
  /** A bit for each of four signs. */
  signs4: [0xfd, 0xa4, 1],
  shiftLeft4: [0xfd, 0xab, 1],
  shiftRight4: [0xfd, 0xad, 1],
  addBits4: [0xfd, 0xae, 1],
  sqrt4: [0xfd, 0xe3, 1],
  add4: [0xfd, 0xe4, 1],
  sub4: [0xfd, 0xe5, 1],
  mul4: [0xfd, 0xe6, 1],
  div4: [0xfd, 0xe7, 1],
} as const

/** Walks pointers over their arrays, so many bytes at a time, until the first one reaches the end. */
export const walk = (
  pointers: readonly (readonly [local: number, stride: number])[],
  end: number,
  body: readonly (readonly number[])[],
): readonly (readonly number[])[] => [
  I.block,
  I.loop,
  ...[I.get(pointers[0]?.[0] as number), I.get(end), I.atLeast, I.branchIf(1)],
  ...body,
  ...pointers.flatMap(([pointer, stride]) => [I.get(pointer), I.i32(stride), I.add, I.set(pointer)]),
  ...[I.branch(0), I.end, I.end],
]
export const endOf = (pointer: number, bytes: number, end: number) => [I.get(pointer), I.get(bytes), I.add, I.set(end)]
export const load = (pointer: number) => [I.get(pointer), I.load4]
export const splat = (local: number) => [I.get(local), I.splat4]

const TYPES = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const
type Type = keyof typeof TYPES

export type WasmFunction = {
  readonly name: string
  readonly parameters: readonly Type[]
  readonly result: Type | null
  /** Further variables, numbered after the parameters; zero at first. */
  readonly locals: readonly Type[]
  readonly body: readonly (readonly number[])[]
}

/** A module that imports a memory as `host.memory` and exports these functions. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, result }) => [
    0x60,
    ...vector(parameters.map((type) => [TYPES[type]])),
    ...vector(result === null ? [] : [[TYPES[result]]]),
  ])
  const memory = [...text('host'), ...text('memory'), 2, 0, ...unsigned(1)]
  const exported = functions.map(({ name }, i) => [...text(name), 0, ...unsigned(i)])
  const codes = functions.map(({ locals, body }) => {
    const code = [...vector(locals.map((type) => [1, TYPES[type]])), ...body.flat(), ...I.end]
    return [...unsigned(code.length), ...code]
  })
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(functions.map((_, i) => unsigned(i)))),
    ...section(7, vector(exported)),
    ...section(10, vector(codes)),
  ])
}

const section = (id: number, content: readonly number[]): readonly number[] => [
  id,
  ...unsigned(content.length),
  ...content,
]
const vector = (items: readonly (readonly number[])[]): readonly number[] => [
  ...unsigned(items.length),
  ...items.flat(),
]
const text = (value: string): readonly number[] => vector(Array.from(new TextEncoder().encode(value), (byte) => [byte]))

/** LEB128: seven bits at a time, the lowest first. */
function unsigned(value: number): readonly number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
}
function signed(value: number): readonly number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)]
}
