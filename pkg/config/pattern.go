package config

// Parts of the patterns of formats, in the syntax of Go's regexp, which Helm's templates
// have too. An alternative must stand within PatternBegin and PatternEnd.
const (
	PatternBegin = `^(?:`
	PatternEnd   = `)$`

	PatternName      = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}` // of a host; an IPv4 address matches too
	PatternPort      = `0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`
	PatternBracketed = `\[(?:` + PatternName + `|` + ipv6Pattern + `(?:%[^\[\]]+)?)\]`

	PatternEscaped = `%[0-9A-Fa-f]{2}` // in a URL
	PatternLogin   = `(?:(?:[A-Za-z0-9._:~!$&'()*+,;=@-]|` + PatternEscaped + `)*@)?`
	PatternURLIPv6 = ipv6Pattern + `(?:%25[A-Za-z0-9._~-]+)?`
	PatternURLHost = `(?:` + PatternName + `|\[` + PatternURLIPv6 + `\])`

	hostHint      = "a host name or an IP address: leave out scheme, port, path and credentials"
	hostItem      = PatternName + `|` + ipv6Pattern + `(?:%.+)?`
	hostPattern   = PatternBegin + hostItem + PatternEnd
	socketPattern = PatternBegin + `/.*|` + hostItem + PatternEnd
	listenPattern = PatternBegin + `(?:` + PatternName + `|\[\]|` + PatternBracketed + `)?:(?:0+|` + PatternPort + `)` + PatternEnd
	originPattern = PatternBegin + `\*|https?://(?:` + PatternName + `|\[` + ipv6Pattern + `\])(?::` + PatternPort + `)?` + PatternEnd
	originCounts  = `^(?:(http://.*):80|(https://.*):443)$`
)

// An IPv6 address as netip reads it, without a zone.
const (
	group       = `[0-9A-Fa-f]{1,4}`
	octet       = `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
	lastTwo     = `(?:` + group + `:` + group + `|` + octet + `(?:\.` + octet + `){3})`
	ipv6Pattern = `(?:(?:` + group + `:){6}` + lastTwo +
		`|(?:` + group + `(?::` + group + `){0,6})?::` +
		`|(?:` + group + `(?::` + group + `){0,5})?::` + group +
		`|(?:` + group + `(?::` + group + `){0,4})?::` + lastTwo +
		`|(?:` + group + `(?::` + group + `){0,3})?::` + group + `:` + lastTwo +
		`|(?:` + group + `(?::` + group + `){0,2})?::(?:` + group + `:){2}` + lastTwo +
		`|(?:` + group + `(?::` + group + `)?)?::(?:` + group + `:){3}` + lastTwo +
		`|(?:` + group + `)?::(?:` + group + `:){4}` + lastTwo +
		`|::(?:` + group + `:){5}` + lastTwo + `)`
)
