package sfclient

import "context"

// traceKey is the context's key of a traceparent.
type traceKey struct{}

// WithTrace makes the requests under ctx carry a W3C traceparent header. Empty:
// they carry none. The caller answers for its form.
func WithTrace(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// traceOf is what WithTrace has put there; empty: nothing.
func traceOf(ctx context.Context) string {
	traceparent, _ := ctx.Value(traceKey{}).(string)
	return traceparent
}
