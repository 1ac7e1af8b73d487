"""Neuropil against NEST and Brian2: CPU seconds per simulated second, one thread, one run at a time.

    python benches/peers/compare.py --peers-python VENV/bin/python --repeat 3

Prints a Markdown table and then the same numbers, with more columns, as CSV; progress goes to stderr.
Of several repeats the fastest counts. What is counted, by simulator:

  NEST           CPU time of the Simulate call, without building the network
  Brian2 cython  CPU time of run(), without generating and compiling code
  Brian2 C++     the smaller of two upper bounds on the CPU time of the run: the binary's own timing of the
                 run (wall clock, so too long on a busy machine) and the CPU time of the whole binary (which
                 includes setting up); the column `measured` says which. Compiling counts in neither.
  Neuropil       cpu_s_per_s of `neuropil bench --only NETWORK --threads 1 --json`

Run it on a quiet machine. See README.md for how to set up the peers.
"""
import argparse, csv, json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
# network: simulated seconds, further arguments of the peers' scripts, what runs it in Brian2
NETWORKS = {
    "izhikevich2003": (10.0, [], True),
    "cuba": (10.0, [], True),
    "coba": (10.0, [], True),
    "brunel2000": (1.0, [], True),
    "stdp": (2.0, [], True),
    "pd14": (1.0, ["--scale", "0.1"], False),
}
SIMULATORS = ["NEST", "Brian2 C++", "Brian2 cython", "Neuropil"]
COLUMNS = ["network", "simulator", "cpu_s_per_s", "measured", "wall_s_per_s", "all_cpu_s_per_s", "sim_seconds",
           "neurons", "synapses", "mean_rate_hz", "events_per_s", "rss_mb", "build_s", "load", "error"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--peers-python", default=sys.executable, help="the Python that has NEST and Brian2")
    p.add_argument("--neuropil", default=os.path.join(ROOT, "target", "release", "neuropil"))
    p.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    p.add_argument("--simulators", nargs="+", default=SIMULATORS, choices=SIMULATORS)
    p.add_argument("--repeat", type=int, default=1)
    p.add_argument("--shorten", type=float, default=1.0, help="multiply the peers' durations (to try the script)")
    p.add_argument("--timeout", type=float, default=3600.0, help="seconds for one run, compiling included")
    return p.parse_args()


def last_json(command, timeout, want=None):
    """Run a command, return its last JSON line (whose "network" is `want`, if given)."""
    one = {k: "1" for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    env = dict(os.environ, OMP_WAIT_POLICY="passive", PYTHONDONTWRITEBYTECODE="1", **one)
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env)
    lines = [json.loads(s) for s in done.stdout.splitlines() if s.startswith("{")]
    lines = [x for x in lines if want is None or x.get("network") == want]
    if done.returncode != 0 or not lines:
        why = (done.stderr.strip() or done.stdout.strip() or "printed nothing").splitlines()[-1]
        raise RuntimeError(f"exit status {done.returncode}: {why}")
    return lines[-1]


def peer(a, simulator, network):
    seconds, extra, _ = NETWORKS[network]
    seconds = round(seconds * a.shorten, 4)
    script = "bench_nest.py" if simulator == "NEST" else "bench_brian2.py"
    mode = {"Brian2 C++": ["--mode", "cpp"], "Brian2 cython": ["--mode", "cython"]}.get(simulator, [])
    x = last_json([a.peers_python, os.path.join(HERE, script), network, "--seconds", str(seconds),
                   "--threads", "1", *extra, *mode], a.timeout)
    bounds = ([("CPU of the run", x["cpu_run_s"])] if "cpu_run_s" in x else
              [("wall clock of the run", x["wall_run_s"]), ("CPU of the binary", x["binary_cpu_s"])])
    measured, cpu = min(bounds, key=lambda b: b[1])
    return dict(cpu_s_per_s=cpu / seconds, measured=measured, wall_s_per_s=x["wall_run_s"] / seconds,
                sim_seconds=seconds, neurons=x["neurons"], synapses=x["synapses"], mean_rate_hz=x["mean_rate_hz"],
                rss_mb=max(x["peak_rss_mb"], x["peak_rss_child_mb"] if simulator == "Brian2 C++" else 0.0),
                build_s=x["wall_build_s"])


def neuropil(a, network):
    x = last_json([a.neuropil, "bench", "--only", network, "--threads", "1", "--json"], a.timeout, network)
    return dict({k: x[k] for k in COLUMNS if k in x and k != "network"}, measured="CPU of the run")


def best_of(a, simulator, network):
    """The fastest of the repeats as one row of the CSV."""
    row, runs = dict(network=network, simulator=simulator), []
    for k in range(a.repeat):
        print(f"{network}: {simulator} ({k + 1} of {a.repeat})", file=sys.stderr, flush=True)
        load = round(os.getloadavg()[0], 2)
        try:
            x = neuropil(a, network) if simulator == "Neuropil" else peer(a, simulator, network)
        except (OSError, RuntimeError, KeyError, ValueError, subprocess.TimeoutExpired) as e:
            print(f"  failed: {e}", file=sys.stderr)
            return dict(row, error=f"{type(e).__name__}: {e}")
        runs.append(dict(x, load=load))
    best = min(runs, key=lambda x: x["cpu_s_per_s"])
    return dict(row, **best, all_cpu_s_per_s=" ".join(f"{x['cpu_s_per_s']:.4g}" for x in runs))


def markdown(rows, simulators):
    """One line a network; the ratio is that of the fastest peer to Neuropil: above 1, Neuropil is faster."""
    cells = {(r["network"], r["simulator"]): r for r in rows}
    peers = [s for s in simulators if s != "Neuropil"]
    lines = ["| network | neurons | synapses | " + " | ".join(simulators) + " | fastest peer / Neuropil |",
             "|---|" + "---:|" * (len(simulators) + 3)]
    for network in dict.fromkeys(r["network"] for r in rows):
        cpu = {s: cells[network, s].get("cpu_s_per_s") for s in simulators if (network, s) in cells}
        size = next((r for r in rows if r["network"] == network and "neurons" in r), {})
        show = ["failed" if s in cpu and cpu[s] is None else f"{cpu[s]:.3g}" if s in cpu else "–" for s in simulators]
        known = [cpu[s] for s in peers if cpu.get(s) is not None]
        own = cpu.get("Neuropil")
        ratio = f"{min(known) / own:.2f}" if known and own else "–"
        lines.append(f"| {network} | {size.get('neurons', '–')} | {size.get('synapses', '–')} | "
                     + " | ".join(show) + f" | {ratio} |")
    return "\n".join(lines)


def main():
    a = arguments()
    if os.getloadavg()[0] > 0.5:
        print(f"the machine is not quiet (load {os.getloadavg()[0]:.2f}): expect too long times", file=sys.stderr)
    simulators = [s for s in SIMULATORS if s in a.simulators]
    rows = [best_of(a, s, network) for network in a.networks for s in simulators
            if NETWORKS[network][2] or not s.startswith("Brian2")]
    print("CPU seconds per simulated second, one thread, best of " + str(a.repeat) + "\n")
    print(markdown(rows, simulators) + "\n")
    out = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    out.writeheader()
    out.writerows({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in r.items()} for r in rows)
    return 1 if any("error" in r for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
