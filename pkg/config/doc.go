// Package config reads the configuration from the environment into a [Config], and
// reports all problems at once.
//
// [Load] reads variables from a slice and, on request, from a .env file. The tags on
// the fields of [Config] define the name, the accepted values and the meaning of each
// variable. Decoding, validation, [Config.Print] and the generated reference
// (docs/configuration.md) use these tags. pkg/cli calls Load; the kinds of
// pkg/dependency add settings of their own.
//
// Only this package reads the environment. It imports no other package of this module
// but readfile, opens no connection, and never shows a secret: see [Secret] and
// [Redactor].
package config
