/** What there is to compute on. Names of onnxruntime's backends, which is not loaded to say them. */
export const DEVICES = ['cpu', 'webgpu', 'cuda'] as const
export type Device = (typeof DEVICES)[number]
