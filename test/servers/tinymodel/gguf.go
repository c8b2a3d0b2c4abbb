package tinymodel

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The numbers of GGUF version 3, the file format of llama.cpp.
const (
	ggufVersion = 3
	alignment   = 32

	typeUint32  = 4
	typeInt32   = 5
	typeFloat32 = 6
	typeBool    = 7
	typeString  = 8
	typeArray   = 9

	tensorFloat32 = 0
)

// entry is one key of the metadata. The types of values are those that
// [file.value] knows.
type entry struct {
	key   string
	value any
}

// tensor is a matrix of 32-bit floats; the first dimension is the contiguous one.
type tensor struct {
	name string
	dims []uint64
	data []float32
}

// file is a GGUF in the making.
type file struct{ bytes.Buffer }

// encode returns the file's bytes: header, metadata, tensor index, tensor data.
func encode(metadata []entry, tensors []tensor) []byte {
	var f file
	f.WriteString("GGUF")
	f.put(uint32(ggufVersion))
	f.put(uint64(len(tensors)))
	f.put(uint64(len(metadata)))
	for _, e := range metadata {
		f.text(e.key)
		f.value(e.value)
	}
	var offset uint64
	for _, t := range tensors {
		f.text(t.name)
		f.put(uint32(len(t.dims)))
		f.put(t.dims)
		f.put(uint32(tensorFloat32))
		f.put(offset)
		offset += (uint64(len(t.data))*4 + alignment - 1) / alignment * alignment
	}
	f.align()
	for _, t := range tensors {
		f.put(t.data)
		f.align()
	}
	return f.Bytes()
}

func (f *file) put(v any) {
	// A buffer takes everything, and all types in this file are of fixed size.
	_ = binary.Write(f, binary.LittleEndian, v)
}

func (f *file) text(s string) {
	f.put(uint64(len(s)))
	f.WriteString(s)
}

func (f *file) align() {
	for f.Len()%alignment != 0 {
		f.WriteByte(0)
	}
}

func (f *file) value(v any) {
	switch v := v.(type) {
	case uint32:
		f.scalar(typeUint32, v)
	case float32:
		f.scalar(typeFloat32, v)
	case bool:
		f.scalar(typeBool, v)
	case string:
		f.put(uint32(typeString))
		f.text(v)
	case []string:
		f.array(typeString, len(v))
		for _, s := range v {
			f.text(s)
		}
	case []float32:
		f.array(typeFloat32, len(v))
		f.put(v)
	case []int32:
		f.array(typeInt32, len(v))
		f.put(v)
	default:
		panic(fmt.Sprintf("tinymodel: no GGUF type for %T", v))
	}
}

func (f *file) scalar(kind uint32, v any) {
	f.put(kind)
	f.put(v)
}

func (f *file) array(kind uint32, n int) {
	f.put(uint32(typeArray))
	f.put(kind)
	f.put(uint64(n))
}
