package ollama

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// inferenceInterval is the least time between two tries.
const inferenceInterval = time.Minute

// inference is what is known of the model that is asked for a token.
type inference struct {
	stay    modelStay
	next    time.Time     // no try before
	failure *health.Fault // of the last try, while the model stays loaded
	notes   []string      // on what the last try needed and was not given
}

// infer asks the inference model for one token, if that is wanted and due, and
// returns the fault of the last try, and notes on what stood in its way.
func (o *Checker) infer(ctx context.Context) (notes []string, err error) {
	if o.options.InferenceModel == "" {
		return nil, nil
	}
	ctx, cancel := o.withMargin(ctx)
	defer cancel()
	model, now, err := o.loaded(ctx)
	withheld, isWithheld := errors.AsType[withheldError](err)
	switch {
	case isWithheld:
		return []string{withheld.Error()}, nil
	case err != nil:
		return nil, inferenceFault("Ollama does not tell which models are loaded", err)
	case model == nil:
		// Whatever loads it is a use that will have been seen.
		o.inference = inference{next: o.inference.next, stay: modelStay{known: true}}
	case o.inference.stay.see(model.ExpiresAt, now) && !time.Now().Before(o.inference.next):
		o.try(ctx, model, now)
	}
	if o.inference.failure != nil {
		return nil, o.inference.failure
	}
	return o.inference.notes, nil
}

// withheldError names a path that inference needs and that is not there, or not for
// this client, such as behind a proxy that lets only some paths pass.
type withheldError string

func (path withheldError) Error() string {
	return "Ollama, or a proxy before it, does not answer " + string(path) + ": {INFERENCE_MODEL} is not tried"
}

// isForOthers reports whether a path asks for a login that another path does not ask for.
func isForOthers(r dependency.HTTPReply) bool {
	return r.Status == http.StatusUnauthorized || r.Status/100 == 3
}

// withMargin leaves a tenth of the timeout to report that inference took too
// long, or the whole check would count as timed out.
func (o *Checker) withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithDeadline(ctx, deadline.Add(-o.options.Timeout/10))
}

// loaded returns the inference model's entry in /api/ps, nil if it is not loaded,
// and the server's clock.
func (o *Checker) loaded(ctx context.Context) (*model, time.Time, error) {
	reply, err := o.web.Get(ctx, o.options.BaseURL+"/api/ps")
	if err != nil {
		return nil, time.Time{}, err
	}
	if isWithheld(reply) || isForOthers(reply) {
		return nil, time.Time{}, withheldError("/api/ps")
	}
	models, err := readModels(reply)
	for i := range models {
		if sameModel(models[i].Name, o.options.InferenceModel) {
			return &models[i], serverTime(reply), err
		}
	}
	return nil, time.Time{}, err
}

// try asks for one token and remembers how that went.
func (o *Checker) try(ctx context.Context, model *model, now time.Time) {
	i := &o.inference
	i.next, i.failure, i.notes = time.Now().Add(inferenceInterval), nil, nil
	session := i.stay.remaining(now).Truncate(time.Second)
	expires := model.ExpiresAt
	err := o.generate(ctx, model, session)
	if withheld, ok := errors.AsType[withheldError](err); ok {
		i.notes = []string{withheld.Error()}
	} else if err != nil {
		i.failure = inferenceFault("the model that {INFERENCE_MODEL} names is loaded and does not answer", err)
	} else if after, _, err := o.loaded(ctx); err == nil && after != nil {
		expires = after.ExpiresAt
	}
	i.stay.asked(session, expires)
}

func inferenceFault(message string, err error) *health.Fault {
	return &health.Fault{Reason: ReasonInference, Message: message, Err: err}
}

func (o *Checker) generate(ctx context.Context, model *model, session time.Duration) error {
	options := map[string]int{"num_predict": 1}
	// Ollama loads a model anew for a request that wants another context length.
	if limit, err := o.trainedContext(ctx, model.Name); err != nil {
		return err
	} else if model.ContextLength > 0 && model.ContextLength < limit {
		options["num_ctx"] = model.ContextLength
	}
	var answer struct{ Done bool }
	err := o.post(ctx, "/api/generate", map[string]any{
		"model": model.Name, "prompt": "1", "raw": true, "stream": false,
		"keep_alive": keepAliveSeconds(session), "options": options,
	}, &answer)
	if err == nil && !answer.Done {
		err = errors.New("the answer is not done")
	}
	return err
}

// trainedContext returns the context length that the model was made for, or zero
// if Ollama does not tell. What users ask for above it, Ollama silently cuts down
// to it; then the length that it reports is not the one that they asked for.
func (o *Checker) trainedContext(ctx context.Context, model string) (int, error) {
	var answer struct {
		Info map[string]any `json:"model_info"`
	}
	if err := o.post(ctx, "/api/show", map[string]any{"model": model}, &answer); err != nil {
		return 0, err
	}
	length, _ := answer.Info[fmt.Sprint(answer.Info["general.architecture"], ".context_length")].(float64)
	return int(length), nil
}

func (o *Checker) post(ctx context.Context, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.options.BaseURL+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	reply, err := o.web.Do(req)
	if err != nil {
		return err
	}
	if isWithheld(reply) || isForOthers(reply) {
		return withheldError(path)
	}
	if reply.Status != http.StatusOK {
		return fmt.Errorf("post %s: answer %d", path, reply.Status)
	}
	return json.Unmarshal(reply.Body, answer)
}

// serverTime returns the server's clock, at most a second fast, or ours where it
// does not tell.
func serverTime(reply dependency.HTTPReply) time.Time {
	date, err := http.ParseTime(reply.Header.Get("Date"))
	if err != nil {
		return time.Now()
	}
	return date.Add(time.Second) // it is cut to whole seconds
}
