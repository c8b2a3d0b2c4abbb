package server

import (
	"net/http"

	"github.com/rs/cors"
)

// AllowOrigins lets pages of other origins read the answers of h; "*" stands for
// every origin. With no origins it returns h itself.
func AllowOrigins(origins []string, h http.Handler) http.Handler {
	if len(origins) == 0 {
		return h
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		// A browser sends a plain POST without asking: a page may read its 405.
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders: []string{"Authorization"},
		MaxAge:         600,
	}).Handler(h)
}
