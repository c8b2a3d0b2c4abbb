// A stand-in for miniaudio, which the archive of the ollama module leaves out
// (Go modules carry no vendor folders). It only serves audio input to models,
// which this project does not use: every call reports an error.
#pragma once

#include <stddef.h>

typedef int ma_result;
typedef unsigned int ma_uint32;
typedef unsigned long long ma_uint64;

enum { MA_SUCCESS = 0, MA_NOT_IMPLEMENTED = -29 };

typedef enum { ma_format_f32 = 5 } ma_format;
typedef enum { ma_encoding_format_unknown = 0, ma_encoding_format_wav = 1 } ma_encoding_format;

typedef struct {
	ma_format format;
	ma_uint32 channels;
	ma_uint32 sampleRate;
	ma_encoding_format encodingFormat;
} ma_decoder_config;

typedef struct { int unused; } ma_decoder;

static inline ma_decoder_config ma_decoder_config_init(ma_format format, ma_uint32 channels, ma_uint32 rate) {
	ma_decoder_config config = { format, channels, rate, ma_encoding_format_unknown };
	return config;
}

static inline ma_result ma_decoder_init_memory(const void *, size_t, const ma_decoder_config *, ma_decoder *) {
	return MA_NOT_IMPLEMENTED;
}

static inline ma_result ma_decoder_get_length_in_pcm_frames(ma_decoder *, ma_uint64 *) {
	return MA_NOT_IMPLEMENTED;
}

static inline ma_result ma_decoder_read_pcm_frames(ma_decoder *, void *, ma_uint64, ma_uint64 *) {
	return MA_NOT_IMPLEMENTED;
}

static inline ma_result ma_decoder_uninit(ma_decoder *) { return MA_SUCCESS; }
