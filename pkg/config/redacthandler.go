package config

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
)

// Handler returns a handler that scrubs the message and every attribute before it
// passes a record on to next. Keys are left alone: they are constants.
func (r *Redactor) Handler(next slog.Handler) slog.Handler {
	return redactHandler{next, r}
}

type redactHandler struct {
	next     slog.Handler
	redactor *Redactor
}

// Enabled asks next.
func (h redactHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes on a scrubbed copy of the record.
func (h redactHandler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.Scrub(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redactor.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs scrubs what next may format at once, by what is known by now.
func (h redactHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return redactHandler{h.next.WithAttrs(h.redactor.attrs(attrs)), h.redactor}
}

// WithGroup asks next.
func (h redactHandler) WithGroup(name string) slog.Handler {
	return redactHandler{h.next.WithGroup(name), h.redactor}
}

func (r *Redactor) attrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = r.attr(a)
	}
	return clean
}

func (r *Redactor) attr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		value = slog.StringValue(r.Scrub(value.String()))
	case slog.KindGroup:
		value = slog.GroupValue(r.attrs(value.Group())...)
	case slog.KindAny:
		value = r.any(value.Any())
	default:
		// A number, a time or a switch holds no secret.
	}
	return slog.Attr{Key: a.Key, Value: value}
}

// any turns a value into text, the way a text handler would, since what a handler
// makes of it otherwise cannot be scrubbed.
func (r *Redactor) any(value any) slog.Value {
	switch v := value.(type) {
	case nil:
		return slog.AnyValue(nil)
	case []string:
		clean := make([]string, len(v))
		for i, s := range v {
			clean[i] = r.Scrub(s)
		}
		return slog.AnyValue(clean)
	case error, fmt.Stringer:
		// Sprint survives a nil pointer with such a method.
		return slog.StringValue(r.Scrub(fmt.Sprint(v)))
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return slog.StringValue(r.Scrub(string(v.Bytes())))
	}
	return slog.StringValue(r.Scrub(fmt.Sprintf("%+v", value)))
}
