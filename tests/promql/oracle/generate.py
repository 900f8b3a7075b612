"""Random data and random PromQL for the comparison with the real engine; see `run`.

Left out is what the real engine itself answers differently from run to run or from machine to machine: `topk` among
equal values, `count_values` of values with many digits, the date of NaN, functions that blow up a last digit, and
`timestamp(x offset d @ t)`, whose offset it forgets.
"""
import json
import random
import sys

R = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
pick = R.choice
JOBS, INSTANCES, CODES = ["a", "b"], ["0", "1", "2"], ["200", "404", "500"]
LABELS = ["job", "instance", "code", "zone", "version", "le", "nope"]


def number():
    r = R.random()
    if r < 0.5:
        return str(R.randint(-5, 40))
    if r < 0.9:
        return f"{R.uniform(-3, 50):.3f}"
    return pick(["NaN", "Inf", "-Inf", f"{R.uniform(-1, 1):.2e}"])


def gauge(n):
    out = []
    while len(out) < n:
        r = R.random()
        if r < 0.06:
            out.append("_")
        elif r < 0.08:
            out += ["_"] * R.randint(3, 40)
        elif r < 0.10:
            out.append("stale")
        elif r < 0.15 and out:
            out.append(out[-1])
        else:
            out.append(number())
    return " ".join(out[:n])


def counter(n):
    value, out = pick([0, R.randint(0, 100), R.uniform(0, 10)]), []
    while len(out) < n:
        r = R.random()
        if r < 0.05:
            value = pick([0, 1, value / 2])
        elif r < 0.7:
            value += pick([R.randint(0, 20), R.uniform(0, 3), 0])
        gap = R.random()
        if gap < 0.01:
            out += ["_"] * R.randint(5, 30)
        elif gap < 0.02:
            out.append("stale")
        else:
            out.append("_" if gap < 0.08 else repr(round(value, 4)))
    return " ".join(out[:n])


def buckets(job, n):
    total, lines = [0] * n, []
    for le in ["0.1", "1", "2.5", "+Inf"]:
        if R.random() < 0.04:
            continue
        value = 0
        for t in range(n):
            value += R.randint(0, 3)
            total[t] += value
        seen = [str(x if R.random() > 0.03 else max(0, x - R.randint(0, 3))) if R.random() > 0.02 else "_" for x in total]
        lines.append(f'h_bucket{{job="{job}",le="{le}"}} ' + " ".join(seen))
    return lines


def dataset():
    gap = pick([10, 15, 17, 30, 60, 120])
    n = R.randint(20, 60)
    lines = [f"load {gap}s"]
    for job in JOBS:
        for i in INSTANCES:
            if R.random() < 0.9:
                lines.append(f'g{{job="{job}",instance="{i}"}} {gauge(n)}')
            if R.random() < 0.6:
                lines.append(f'g2{{job="{job}",instance="{i}",zone="{pick("xy")}"}} {gauge(n)}')
            for code in CODES:
                if R.random() < 0.6:
                    lines.append(f'c_total{{job="{job}",instance="{i}",code="{code}"}} {counter(n)}')
        if R.random() < 0.9:
            lines.append(f'one{{job="{job}"}} {gauge(n)}')
        lines.append(f'meta{{job="{job}",version="{pick(["v1", "v2", "v10"])}",team="{pick("tu")}"}} 1x{n}')
        lines += buckets(job, n)
    return "\n".join(lines) + "\n", gap * n


def duration():
    return pick(["1m", "2m", "5m", "10m", "30s", "90s", "7m30s", "1h", "45", "3m20s", "11s", "1m1ms", "17s", "34s", "20m"])


def matchers(metric):
    found = []
    if R.random() < 0.5:
        found.append(pick(['job="a"', 'job="b"', 'job!="a"', 'job=~"a|b"', 'job=~".*"', 'job!~"b.*"', 'job=""']))
    if metric in ("g", "g2", "c_total") and R.random() < 0.35:
        found.append(pick(['instance="0"', 'instance=~"0|1"', 'instance!="2"', 'instance=~"[12]"', 'instance=~"\\\\d"']))
    if metric == "c_total" and R.random() < 0.3:
        found.append(pick(['code="200"', 'code=~"4..|5.."', 'code!="500"']))
    return "{" + ",".join(found) + "}" if found else pick(["", "", "", "{}"])


def shift():
    out = ""
    if R.random() < 0.12:
        out += " offset " + pick(["", "-"]) + pick(["1m", "30s", "5m", "90"])
    if R.random() < 0.06:
        out += " @ " + pick(["start()", "end()", "300", "0", "612.5", "1200"])
    return out


def selector():
    if R.random() < 0.05:
        return pick(['{__name__=~"g|g2"}', '{__name__="g"}', '{job="a",__name__!~"h.*"}', '{"g"}', '{"c_total",job="a"}'])
    metric = pick(["g", "g", "g2", "c_total", "c_total", "one", "meta", "h_bucket", "nothing"])
    return metric + matchers(metric)


def window(depth, counters=False):
    if depth > 0 and R.random() < 0.25:
        inner = f"({vector(depth - 1)})" if R.random() < 0.4 else selector()
        return f"{inner}[{duration()}:{pick(['', '30s', '1m', '20s', '37s'])}]{shift()}"
    metric = pick(["c_total", "c_total", "h_bucket", "g"]) if counters else pick(["g", "g2", "c_total", "one"])
    return f"{metric}{matchers(metric)}[{duration()}]{shift()}"


def some_labels():
    return ", ".join(R.sample(LABELS, R.randint(0, 2)))


def grouping():
    r = R.random()
    if r < 0.25:
        return ""
    if r < 0.75:
        return f" by ({pick(['job', 'instance', 'job, instance', 'code', some_labels(), '__name__'])}) "
    return f" without ({pick(['instance', 'code', 'instance, code', some_labels()])}) "


def scalar(depth):
    r = R.random()
    if r < 0.6 or depth <= 0:
        return pick(["1", "2", "0.5", "10", "-3", "1e3", "0x1f", "60", "NaN", "Inf", "5m", "0", "1_000"])
    if r < 0.7:
        return "time()"
    if r < 0.85:
        return f"scalar({vector(depth - 1)})"
    op = pick(["+", "-", "*", "/", "%", "^", "atan2", "== bool", "> bool", "<= bool"])
    return f"({scalar(depth - 1)} {op} {scalar(depth - 1)})"


SIMPLE = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]


def aggregation(depth):
    r = R.random()
    if r < 0.75:
        name, args = pick(SIMPLE), vector(depth - 1)
    elif r < 0.92:
        name, args = "quantile", f"{pick(['0.5', '0.9', '0', '1', '0.99', '-1', '2', 'NaN'])}, {vector(depth - 1)}"
    else:
        name, args = "count_values", f'"{pick(["value", "job", "x"])}", {pick(["meta", "changes(g[5m])", "round(g2)"])}'
    by = grouping()
    return f"{name}{by}({args})" if R.random() < 0.5 else f"{name}({args}){by}"


def operator():
    if R.random() < 0.55:
        return pick(["+", "-", "*", "/", "%", "^", "atan2"])
    return pick(["==", "!=", ">", "<", ">=", "<="]) + pick(["", " bool", ""])


def binary(depth):
    op, r = operator(), R.random()
    if r < 0.3:
        sides = [vector(depth - 1), scalar(depth - 1)]
        R.shuffle(sides)
        return f"{sides[0]} {op} {sides[1]}"
    if r < 0.5:
        on = pick(["", "", f" on ({pick(['job', some_labels()])})", f" ignoring ({pick(['instance', some_labels()])})"])
        return f"{vector(depth - 1)} {pick(['and', 'or', 'unless'])}{on} {vector(depth - 1)}"
    if r < 0.75:
        group = pick(["group_left", "group_right"])
        take = pick(["", " ()", " (version)", " (team, version)", " (zone)"])
        many = pick(["c_total", "g", "g2", selector()])
        one = pick(["meta", "one", "sum by (job) (g)", "max by (job) (c_total)", selector()])
        on = pick([" on (job)", " on (job)", " ignoring (instance, code, zone, version, team)", " on (job, instance)"])
        left, right = (many, one) if group == "group_left" else (one, many)
        return f"{left} {op}{on} {group}{take} {right}"
    if r < 0.85:
        side = lambda: f"{pick(SIMPLE)} by (job) ({vector(depth - 1)})"
        return f"{side()} {op} {side()}"
    on = pick(["", "", " on (job)", " on (job, instance)", " ignoring (code)", " on ()", f" on ({some_labels()})"])
    return f"{vector(depth - 1)} {op}{on} {vector(depth - 1)}"


MATH = ["abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn", "atan", "asinh", "deg", "rad", "tanh"]
WINDOWS = [f"{name}_over_time" for name in """avg sum min max count present stdvar stddev last first mad ts_of_max
    ts_of_min ts_of_last ts_of_first absent""".split()] + ["deriv", "delta", "idelta", "changes", "resets"]
DATES = ["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"]


def rare(depth):
    v = lambda: vector(depth - 1)
    return pick([
        lambda: f"quantile_over_time({pick(['0.5', '0.9', '1', '0', 'NaN', '1.5'])}, {window(depth)})",
        lambda: f"predict_linear({window(depth)}, {pick(['60', '3600', '-10', '0.5'])})",
        lambda: f"double_exponential_smoothing({window(depth)}, {pick(['0.5', '0.1', '1'])}, {pick(['0.3', '0.9'])})",
        lambda: f"round({v()}, {pick(['0.1', '5', '0.5', '10'])})",
        lambda: f"clamp({v()}, {scalar(0)}, {scalar(0)})",
        lambda: f"{pick(['clamp_min', 'clamp_max'])}({v()}, {scalar(depth - 1)})",
        lambda: f"absent({v()})",
        lambda: f"{pick(DATES)}({pick(['', 'vector(1.7e9)', 'vector(951827696)', 'vector(-1e9)', 'vector(time())'])})",
        lambda: f"timestamp({selector()})",
        lambda: f'label_replace({v()}, "{pick(["dst", "job", "__name__"])}", "{pick(["$1-x", "v", "${1}", "$2$1", ""])}", '
                f'"{pick(["job", "instance", "nope"])}", "{pick(["(.*)", "(a)|b", "([0-9])(.*)", "x", "(.)(.*)"])}")',
        lambda: f'label_join({v()}, "{pick(["dst", "job"])}", "{pick([",", "-", ""])}", "job", "instance")',
        lambda: f"vector({scalar(depth - 1)})",
        lambda: f"histogram_quantile({pick(['0.5', '0.9', '0.99', '0', '1', '-1', 'NaN'])}, "
                f"{pick(['h_bucket', 'rate(h_bucket[5m])', 'sum by (le) (rate(h_bucket[5m]))', v()])})",
        lambda: f"histogram_fraction({pick(['0', '0.5', '-Inf'])}, {pick(['1', '2', 'Inf'])}, rate(h_bucket[5m]))",
        lambda: f"{pick(['-', '+'])}{v()}",
        lambda: f"sort_by_label({v()}, \"job\", \"instance\")",
        lambda: f"({v()})",
    ])()


def vector(depth):
    r = R.random()
    if depth <= 0 or r < 0.12:
        return selector() + shift()
    if r < 0.34:
        return aggregation(depth)
    if r < 0.52:
        return f"{pick(WINDOWS)}({window(depth)})"
    if r < 0.64:
        return f"{pick(['rate', 'increase', 'irate'])}({window(depth, True)})"
    if r < 0.69:
        return f"{pick(MATH)}({vector(depth - 1)})"
    return f"({binary(depth)})" if r < 0.88 else rare(depth)


def times(end):
    if R.random() < 0.7:
        return [R.randint(0, end + 360) * 1000 + pick([0, 0, 0, R.randint(0, 999)])]
    step, start = pick([10, 15, 30, 60, 37]) * 1000, R.randint(-60, end) * 1000
    return [start, start + step * R.randint(0, 14), step]


def main():
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for n in range(total):
        if n % 100 == 0:
            load, end = dataset()
            print(json.dumps({"load": load}))
        text = vector(R.randint(1, 3)) if R.random() < 0.95 else scalar(3)
        print(json.dumps({"e": text, "at": times(end), "late": R.random() < 0.3}))


main()
