// What the real engine says: reads cases, writes each with its answer. See `run`.
package oracle

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/teststorage"
)

type series struct {
	Labels map[string]string `json:"l"`
	Points [][2]string       `json:"p"`
}

type answer struct {
	Err    string   `json:"err,omitempty"`
	Series []series `json:"s,omitempty"`
}

// Either data to load, or an expression with its times: one, or from, to and step; in milliseconds.
type line struct {
	Load string  `json:"load,omitempty"`
	Expr string  `json:"e,omitempty"`
	At   []int64 `json:"at,omitempty"`
	Late bool    `json:"late,omitempty"`
	Want *answer `json:"want,omitempty"`
}

func TestOracle(t *testing.T) {
	in, err := os.Open(os.Getenv("CASES"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(os.Getenv("ANSWERS"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := parser.NewParser(parser.Options{EnableExperimentalFunctions: true})
	engine := func(late bool) *promql.Engine {
		return promql.NewEngine(promql.EngineOpts{
			MaxSamples: 5_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: p,
			EnableAtModifier: true, EnableNegativeOffset: true, EnableDelayedNameRemoval: late,
			NoStepSubqueryIntervalFn: func(int64) int64 { return 60_000 },
		})
	}
	engines := map[bool]*promql.Engine{false: engine(false), true: engine(true)}
	var store *teststorage.TestStorage
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	write := json.NewEncoder(out)
	for lines.Scan() {
		var c line
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Load != "" {
			if store != nil {
				store.Close()
			}
			store = promqltest.LoadedStorage(t, c.Load)
		} else {
			c.Want = ask(engines[c.Late], store, c)
		}
		write.Encode(c)
	}
}

func ask(engine *promql.Engine, store *teststorage.TestStorage, c line) *answer {
	ctx, at := context.Background(), func(n int) time.Time { return time.UnixMilli(c.At[n]).UTC() }
	var query promql.Query
	var err error
	if len(c.At) == 1 {
		query, err = engine.NewInstantQuery(ctx, store, nil, c.Expr, at(0))
	} else {
		step := time.Duration(c.At[2]) * time.Millisecond
		query, err = engine.NewRangeQuery(ctx, store, nil, c.Expr, at(0), at(1), step)
	}
	if err != nil {
		return &answer{Err: err.Error()}
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return &answer{Err: result.Err.Error()}
	}
	a := &answer{}
	point := func(t int64, f float64) [2]string {
		return [2]string{strconv.FormatInt(t, 10), strconv.FormatFloat(f, 'g', -1, 64)}
	}
	switch value := result.Value.(type) {
	case promql.Scalar:
		a.Series = []series{{map[string]string{}, [][2]string{point(value.T, value.V)}}}
	case promql.Vector:
		for _, s := range value {
			a.Series = append(a.Series, series{s.Metric.Map(), [][2]string{point(s.T, s.F)}})
		}
	case promql.Matrix:
		for _, s := range value {
			one := series{Labels: s.Metric.Map()}
			for _, f := range s.Floats {
				one.Points = append(one.Points, point(f.T, f.F))
			}
			a.Series = append(a.Series, one)
		}
	}
	return a
}
