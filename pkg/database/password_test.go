package database_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/servers"
)

// passwords are those that PostgreSQL takes and that are not prepared alike
// everywhere. The server prepares each by itself when the role is created.
var passwords = map[string]string{
	"ASCII":                             `plain "quoted" \and' $1`,
	"ASCII with control characters":     "a\tb\x01c\x7f",
	"spaces around":                     " a ",
	"superscript":                       "x²³",
	"fraction":                          "¼ cup",
	"ordinal":                           "1ª",
	"Roman numeral":                     "Ⅸ-Ⅳ",
	"ligature":                          "oﬃce",
	"full width":                        "Ｐａｓｓ１２３",
	"half width":                        "ﾊﾟｽﾜｰﾄﾞ",
	"circled":                           "①②③",
	"trade mark":                        "Reims™",
	"micro sign":                        "µ-service",
	"long s":                            "paſſword",
	"Kelvin and Ångström signs":         "\u212a\u212b",
	"soft hyphen":                       "pass\u00adword",
	"zero-width joiner":                 "a\u200db",
	"zero-width non-joiner":             "a\u200cb",
	"zero-width space":                  "a\u200bb",
	"word joiner":                       "a\u2060b",
	"Mongolian soft hyphen":             "a\u1806b",
	"byte order mark":                   "\ufeffpassword",
	"variation selector":                "a\ufe0fb",
	"combining grapheme joiner":         "a\u034fb",
	"only what is mapped to nothing":    "\u00ad\u200d",
	"no-break space":                    "a\u00a0b",
	"ideographic space":                 "a\u3000b",
	"Ogham space":                       "a\u1680b",
	"thin space at the end":             "a\u2009",
	"composed":                          "zażółć gęślą jaźń",
	"decomposed":                        "zaz\u0307o\u0301l",
	"combining marks out of order":      "a\u0301\u0323",
	"Hangul letters":                    "\u1112\u1161\u11ab\uae00",
	"compatibility Hangul":              "\u3131\u314f",
	"Cyrillic":                          "пароль",
	"Greek final sigma":                 "ΚΩΔΙΚΌΣ ς",
	"sharp s":                           "Straße ẞ",
	"Turkish":                           "İstanbul ı",
	"Chinese":                           "密码密码",
	"CJK compatibility":                 "\uf900㍿",
	"Hebrew":                            "סיסמה",
	"Arabic ligature":                   "\ufdfa",
	"Arabic with digits between":        "ا123ب",
	"right to left that ends in digits": "ا123\u00b2",
	"mixed directions":                  "abcאבג\u00a0ﬃ",
	"alef symbol":                       "pass\u2135word",
	"direction marks":                   "a\u200eb\u00a0c",
	"grave tone mark":                   "a\u0340\u00a0",
	"ideographic description":           "\u2ff0a\u0301",
	"control of ISO 8859":               "a\u0085\u00b2",
	"line separator":                    "a\u2028\u00b2",
	"Mongolian vowel separator":         "a\u180eb\u00b2",
	"Arabic end of ayah":                "\u06dd\u0627",
	"private use":                       "\ue000\u00b2",
	"replacement character":             "a\ufffd\u00b2",
	"object replacement":                "a\ufffc\u0301",
	"noncharacter":                      "a\ufdd0\u00b2",
	"tag":                               "a\U000e0041\u00b2",
	"emoji of Unicode 3.2":              "☃ ☂",
	"emoji":                             "🔑pa\u00b2",
	"emoji of several":                  "👩\u200d💻",
	"unassigned in Unicode 3.2":         "ȡ\u00b2ẞ",
	"never assigned":                    "a\u0378\u00b2",
	"mathematical letters":              "𝓹𝔀",
	"63 bytes":                          strings.Repeat("é", 31) + "x",
	"64 bytes":                          strings.Repeat("é", 32),
	"65 bytes":                          strings.Repeat("é", 32) + "x",
	"32 ligatures, longer prepared":     strings.Repeat("ﬃ", 21),
	"500 bytes":                         strings.Repeat("Ⅷé", 100),
	"64 bytes, not prepared":            strings.Repeat("\u00b2", 29) + "\U0001f511" + "ab",
}

func TestPasswordsThatPostgreSQLTakes(t *testing.T) {
	t.Parallel()
	for version, methods := range map[int][]string{0: {"scram", "md5", "clear"}, 18: {"scram"}} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			t.Parallel()
			pg := servers.RunPostgres(t, servers.PostgresOptions{Version: version, HBA: []string{
				"host all postgres 127.0.0.1/32 scram-sha-256",
				"host all +by_md5 127.0.0.1/32 md5",
				"host all +in_clear 127.0.0.1/32 password",
				"host all all 127.0.0.1/32 scram-sha-256",
			}})
			sql := []string{"create role by_md5; create role in_clear; create role by_scram"}
			for _, method := range methods {
				for name, password := range passwords {
					sql = append(sql, createRole(method, name, password))
				}
			}
			if err := pg.SQL(t.Context(), strings.Join(sql, ";")); err != nil {
				t.Fatal(err)
			}
			for _, method := range methods {
				for name, password := range passwords {
					login(t, pg, method, name, password)
				}
			}
			config := serverConfig(pg)
			config.User, config.Password = role("scram", "fraction"), fixed("½ cup")
			if db, err := database.Connect(t.Context(), config); err == nil {
				t.Error("another password logs in", db.Close())
			}
		})
	}
}

func role(method, name string) string { return method + " " + name }

func createRole(method, name, password string) string {
	group, encryption := "by_scram", "scram-sha-256"
	switch method {
	case "md5":
		group, encryption = "by_md5", "md5"
	case "clear":
		group = "in_clear"
	}
	return fmt.Sprintf("set password_encryption = '%s'; create role %s login password e'%s' in role %s",
		encryption, pgx.Identifier{role(method, name)}.Sanitize(),
		strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password), group)
}

func login(t *testing.T, pg *servers.Postgres, method, name, password string) {
	t.Helper()
	config := serverConfig(pg)
	config.User, config.Password = role(method, name), fixed(password)
	db, err := database.Connect(t.Context(), config)
	if err != nil {
		t.Errorf("%s by %s: %v", name, method, err)
		return
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// What is no UTF-8 is never prepared. Only a server of another encoding takes it.
func TestPasswordThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := pg.SQL(t.Context(), "create database bytes encoding sql_ascii locale 'C' template template0"); err != nil {
		t.Fatal(err)
	}
	const password = "caf\xe9\xa0\xb2"
	u, err := url.Parse(pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Path, u.RawQuery = "bytes", u.RawQuery+"&client_encoding=sql_ascii"
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), "create role latin login password '"+password+"'")
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	config := serverConfig(pg)
	config.User, config.Password = "latin", fixed(password)
	if _, err := open(t, config).Health(t.Context()); err != nil {
		t.Error(err)
	}
}

// PgBouncer prepares passwords as PostgreSQL does, and hands on the keys of a login by
// SCRAM.
func TestPasswordsThatPgBouncerTakes(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	sql := []string{"create role by_scram"}
	for name, password := range passwords {
		sql = append(sql, createRole("scram", name, password))
	}
	if err := pg.SQL(t.Context(), strings.Join(sql, ";")); err != nil {
		t.Fatal(err)
	}
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg, Settings: map[string]string{"auth_user": pg.User}})
	for name, password := range passwords {
		config := serverConfig(pg)
		config.Port, config.SSLMode = uint16(bouncer.Port()), "disable"
		config.User, config.Password = role("scram", name), fixed(password)
		db, err := database.Connect(t.Context(), config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
