// Package golden holds what users of the product see against golden files: answers,
// metrics, the status page, the output of commands, and what adoption makes of a
// database.
//
// Its tests run the built program on real servers. Two run a few exported functions
// instead: redaction, and for how long a rendered answer is served. What differs from
// one run to the next is masked, by mask alone. `make update-golden` writes the files
// anew; look at the difference.
package golden
