package tinymodel

import "fmt"

// width of the model: one number for each state that it can be in, so an answer
// has at most width-1 words.
const width = 32

// The tokens that every vocabulary of the llama kind starts with.
const (
	unknown = iota
	begin
	end
)

// Kinds of tokens, as llama.cpp numbers them.
const (
	kindNormal  = 1
	kindUnknown = 2
	kindControl = 3
	kindByte    = 6
)

// GGUF returns a model of the llama architecture, one block deep, that answers
// every prompt with the given words and then ends. More than 31 words are cut.
func GGUF(words ...string) []byte {
	words = words[:min(len(words), width-1)]
	v := newVocabulary(words)
	return encode(metadata(v), tensors(v, len(words)))
}

type vocabulary struct {
	tokens []string
	kinds  []int32
	scores []float32
	first  int // the token of the answer's first word
}

func newVocabulary(words []string) vocabulary {
	var v vocabulary
	v.add("<unk>", kindUnknown)
	v.add("<s>", kindControl)
	v.add("</s>", kindControl)
	for b := range 256 { // any prompt can be spelt in bytes
		v.add(fmt.Sprintf("<0x%02X>", b), kindByte)
	}
	const space = "\u2581"
	v.add(space, kindNormal)
	v.first = len(v.tokens)
	for _, w := range words {
		v.add(space+w, kindNormal)
	}
	return v
}

func (v *vocabulary) add(token string, kind int32) {
	v.scores = append(v.scores, -float32(len(v.tokens)))
	v.tokens, v.kinds = append(v.tokens, token), append(v.kinds, kind)
}

func metadata(v vocabulary) []entry {
	return []entry{
		{"general.architecture", "llama"},
		{"general.name", "tiny"},
		{"general.file_type", uint32(tensorFloat32)},
		{"llama.block_count", uint32(1)},
		{"llama.context_length", uint32(2048)},
		{"llama.embedding_length", uint32(width)},
		{"llama.feed_forward_length", uint32(width)},
		{"llama.attention.head_count", uint32(1)},
		{"llama.attention.head_count_kv", uint32(1)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"llama.rope.dimension_count", uint32(width)},
		{"llama.rope.freq_base", float32(10000)},
		{"llama.vocab_size", uint32(len(v.tokens))},
		{"tokenizer.ggml.model", "llama"},
		{"tokenizer.ggml.tokens", v.tokens},
		{"tokenizer.ggml.scores", v.scores},
		{"tokenizer.ggml.token_type", v.kinds},
		{"tokenizer.ggml.unknown_token_id", uint32(unknown)},
		{"tokenizer.ggml.bos_token_id", uint32(begin)},
		{"tokenizer.ggml.eos_token_id", uint32(end)},
		{"tokenizer.ggml.add_bos_token", true},
		{"tokenizer.ggml.add_eos_token", false},
	}
}

// tensors sets the weights. State 0 is "nothing said yet", state s "s words
// said". The embedding maps the latest token to a state, the attention and the
// feed-forward layers add nothing, and the output maps a state to the next word.
func tensors(v vocabulary, words int) []tensor {
	n := len(v.tokens)
	embedding, output := make([]float32, n*width), make([]float32, n*width)
	for token := range n {
		state := max(0, token-v.first+1)
		embedding[token*width+state] = 1
	}
	for state := range words + 1 {
		next := end
		if state < words {
			next = v.first + state
		}
		output[next*width+state] = 6 // far above the zero of all others
	}
	return []tensor{
		{"token_embd.weight", []uint64{width, uint64(n)}, embedding},
		norm("blk.0.attn_norm.weight"),
		zero("blk.0.attn_q.weight"),
		zero("blk.0.attn_k.weight"),
		zero("blk.0.attn_v.weight"),
		zero("blk.0.attn_output.weight"),
		norm("blk.0.ffn_norm.weight"),
		zero("blk.0.ffn_gate.weight"),
		zero("blk.0.ffn_up.weight"),
		zero("blk.0.ffn_down.weight"),
		norm("output_norm.weight"),
		{"output.weight", []uint64{width, uint64(n)}, output},
	}
}

func zero(name string) tensor {
	return tensor{name, []uint64{width, width}, make([]float32, width*width)}
}

func norm(name string) tensor {
	ones := make([]float32, width)
	for i := range ones {
		ones[i] = 1
	}
	return tensor{name, []uint64{width}, ones}
}
