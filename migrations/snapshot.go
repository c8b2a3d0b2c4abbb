package migrations

import _ "embed"

// Snapshot is what the steps create, as the catalog of a real server described it:
// JSON, made by hack/schema and held against a fresh run by its test. Nobody writes
// it by hand.
//
//go:embed snapshot.json
var Snapshot []byte
