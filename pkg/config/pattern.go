package config

// Patterns of formats, in the syntax of Go's regexp, which Helm's templates have too.
const (
	begin = `^(?:`
	end   = `)$`

	namePattern  = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}` // as hostName; an IPv4 address matches too
	portFrom1    = `0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`
	escaped      = `%[0-9A-Fa-f]{2}`
	loginPattern = `(?:(?:[A-Za-z0-9._:~!$&'()*+,;=@-]|` + escaped + `)*@)?`

	hostHint        = "a host name or an IP address: leave out scheme, port, path and credentials"
	hostItem        = namePattern + `|` + ipv6Pattern + `(?:%.+)?`
	hostPattern     = begin + hostItem + end
	socketPattern   = begin + `/.*|` + hostItem + end
	bracketed       = `\[(?:` + namePattern + `|` + ipv6Pattern + `(?:%[^\[\]]+)?)\]`
	listenPattern   = begin + `(?:` + namePattern + `|\[\]|` + bracketed + `)?:(?:0+|` + portFrom1 + `)` + end
	endpointPattern = begin + namePattern + `|(?:` + namePattern + `|` + bracketed + `):` + portFrom1 + end

	urlIPv6       = ipv6Pattern + `(?:%25[A-Za-z0-9._~-]+)?`
	urlHost       = `(?:` + namePattern + `|\[` + urlIPv6 + `\])`
	originPattern = begin + `\*|https?://(?:` + namePattern + `|\[` + ipv6Pattern + `\])(?::` + portFrom1 + `)?` + end
	originCounts  = `^(?:(http://.*):80|(https://.*):443)$`
	ollamaPattern = begin + urlIPv6 +
		`|(?i:https?)://` + loginPattern + urlHost + `?(?::` + portFrom1 + `)?(?:/(?:[^%?#]|` + escaped + `)*)?` +
		`|` + loginPattern + urlHost + `?(?::` + portFrom1 + `)?(?:/(?:[^%?#:]|` + escaped + `)*)?` + end

	postgresQuery   = `(?:sslmode=(?i:disable|allow|prefer|require|verify-ca|verify-full)?|ssl(?:rootcert|cert|key)=(?:[^&;#%]|` + escaped + `)*)`
	postgresPattern = begin + `\s*(?i:postgres(?:ql)?)://` + loginPattern + urlHost + `?(?::` + portFrom1 + `)?` +
		`(?:/(?:[^/%?#]|` + escaped + `)*)?(?:\?` + postgresQuery + `(?:&` + postgresQuery + `)*)?\s*` + end
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
