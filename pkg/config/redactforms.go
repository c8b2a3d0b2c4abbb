package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// forms returns the ways in which a secret is written into errors and requests,
// each once.
func forms(secret string) []string {
	all := []string{secret}
	if trimmed := strings.TrimSpace(secret); len(trimmed) >= minSecret {
		all = append(all, trimmed)
	}
	all = append(all, quotedForms(secret)...)
	all = append(all, urlForms(secret)...)
	all = append(all, base64Forms(secret)...)
	slices.Sort(all)
	return slices.Compact(all)
}

// quotedForms are those of Go, JSON, SQL and connection strings, without the
// quotes around them.
func quotedForms(secret string) []string {
	inner := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	plain := jsonText(secret)
	return []string{
		inner(strconv.Quote(secret)),
		inner(strconv.QuoteToASCII(secret)),
		inner(plain),
		inner(jsonEscapeHTML(plain)),
		strings.ReplaceAll(secret, "'", "''"),
		strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(secret),
	}
}

// jsonText writes <, > and & as they are, as most encoders but Go's default do.
func jsonText(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonEscapeHTML(text string) string {
	var b bytes.Buffer
	json.HTMLEscape(&b, []byte(text))
	return b.String()
}

var escapedByte = regexp.MustCompile(`%[0-9A-F]{2}`)

// urlForms are those of a query, a path and a password, in both cases of the
// hexadecimal digits.
func urlForms(secret string) []string {
	query := url.QueryEscape(secret)
	upper := []string{
		query,
		strings.ReplaceAll(query, "+", "%20"),
		url.PathEscape(secret),
		strings.TrimPrefix(url.UserPassword("", secret).String(), ":"),
	}
	all := upper
	for _, form := range upper {
		all = append(all, escapedByte.ReplaceAllStringFunc(form, strings.ToLower))
	}
	return all
}

// base64Forms are those of the secret alone, and what its bytes look like within a
// longer text, such as user:password of Basic authentication: there it may begin
// at any of three places within a group of 3 bytes.
func base64Forms(secret string) []string {
	all := make([]string, 0, 8)
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, encoding.WithPadding(base64.NoPadding).EncodeToString([]byte(secret)))
		for offset := range 3 {
			all = append(all, base64Fragment(encoding, secret, offset))
		}
	}
	return all
}

// base64Fragment returns the characters that depend on the secret alone when
// offset bytes stand before it. There are at least 4, for the shortest secret.
func base64Fragment(encoding *base64.Encoding, secret string, offset int) string {
	padded := append(make([]byte, offset), secret...)
	text := encoding.WithPadding(base64.NoPadding).EncodeToString(padded)
	first := (offset*8 + 5) / 6
	last := len(padded) * 8 / 6
	return text[first:last]
}
