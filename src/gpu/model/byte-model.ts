/** The kind of the genesis model: its configuration as Hugging Face writes it, and a tokenizer whose tokens are bytes. */

export const GENESIS_CONFIG = {
  architectures: ['Qwen3MoeForCausalLM'],
  model_type: 'qwen3_moe',
  vocab_size: 256,
  hidden_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  intermediate_size: 128,
  moe_intermediate_size: 144,
  num_experts: 8,
  num_experts_per_tok: 2,
  norm_topk_prob: true,
  decoder_sparse_step: 1,
  mlp_only_layers: [],
  hidden_act: 'silu',
  max_position_embeddings: 512,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  attention_bias: false,
  tie_word_embeddings: false,
  torch_dtype: 'float32',
} as const

/** Byte-level BPE without merges. Bytes that cannot be printed have stand-ins from 256 on, as GPT-2's tokenizer has it. */
export function byteTokenizer(): unknown {
  const isPrintable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let standIns = 256
  const vocab: Record<string, number> = {}
  for (let byte = 0; byte < 256; byte++) vocab[String.fromCharCode(isPrintable(byte) ? byte : standIns++)] = byte
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: [],
    },
  }
}
