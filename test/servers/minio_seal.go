package servers

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// The parameters of MinIO's third way to seal the body of an admin request, the
// one that the standard library is enough for.
const (
	sealID         = 0x02
	sealSalt       = 32
	sealNonce      = 8
	sealIterations = 8192
	sealKey        = 32
	sealLast       = 0x80 // marks the last fragment
)

// seal encrypts the body of an admin request as MinIO wants it: salt, algorithm,
// nonce, data. The data is one fragment, so it must be shorter than 16 kB.
func seal(password string, plain []byte) ([]byte, error) {
	salt, nonce := make([]byte, sealSalt), make([]byte, sealNonce)
	rand.Read(salt)
	rand.Read(nonce)
	key, err := pbkdf2.Key(sha256.New, password, salt, sealIterations, sealKey)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	// Fragments are numbered from 1; number 0 authenticates the (empty) header.
	header := aead.Seal([]byte{sealLast}, fragmentNonce(nonce, 0), nil, nil)
	data := aead.Seal(nil, fragmentNonce(nonce, 1), plain, header)
	return slices.Concat(salt, []byte{sealID}, nonce, data), nil
}

func fragmentNonce(nonce []byte, number uint32) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clone(nonce), number)
}
