"""Small networks given as explicit lists, run in NEST: every simulator must give the same spikes.

Writes two folders next to this file:
  explicit_network/        iaf_psc_exp,   constant currents, weights in pA
  explicit_network_delta/  iaf_psc_delta, currents that step, weights in mV
each with
  neurons.csv      neuron, kind, v_init_mV, v_end_mV (membrane potential when the run ends)
  connections.csv  source, target, weight, delay_ms   (multapses and autapses occur)
  currents.csv     neuron, start_ms, current_pA       (holds until the neuron's next row or the end)
  spikes.csv       time_ms, neuron                    (time of the end of the spike's step, as in NEST)
  about.json       parameters, step, duration, statistics, the checks that were made

Recurrent networks amplify a single displaced spike, so a test that asks for identical spikes needs
a network in which rounding displaces none. Weights and currents are drawn at random, then nudged by
at most a few per cent (a linear programme per neuron, with the spikes held fixed) so that no
potential comes close to the threshold without crossing it clearly. What is left, `margin_mV`, is the
smallest distance between any potential at the end of any step and the threshold.

Needs nest-simulator 3.10.0, numpy, scipy:  python make_explicit_network.py
"""
import csv, json, os
os.environ.setdefault("PYNEST_QUIET", "1")
import numpy as np
from scipy.optimize import linprog

HERE = os.path.dirname(os.path.abspath(__file__))
DT, STEPS, N_EXC, N_INH, K = 0.1, 10000, 40, 20, 25
N = N_EXC + N_INH
CELL = dict(C_m=250.0, tau_m=10.0, t_ref=2.0, V_th=-55.0, E_L=-70.0, V_reset=-70.0)
TAU_SYN = 2.0


def draw(model, seed):
    """A random network: K incoming connections a neuron on average, three autapses for certain."""
    rng = np.random.default_rng(seed)
    m = N * K
    net = dict(model=model, source=rng.integers(0, N, m), target=rng.integers(0, N, m))
    net["source"][:3] = net["target"][:3] = [5, 23, 47]
    exc = net["source"] < N_EXC
    # (half width, centre) of the uniform distributions of excitatory and inhibitory weights
    we, wi = ((120, 340), (-950, -450)) if model == "iaf_psc_exp" else ((0.3, 1.1), (-3.0, -1.4))
    net["weight"] = np.where(exc, rng.uniform(*we, m), rng.uniform(*wi, m)).round(4)
    net["delay"] = rng.integers(1, 81, m)                          # in steps
    net["v0"] = rng.uniform(-70.0, -56.0, N).round(3)
    net["starts"] = [0] if model == "iaf_psc_exp" else [0, 3500, 7000]     # in steps
    net["current"] = rng.uniform(370.0, 560.0, (len(net["starts"]), N)).round(3)
    return net


def propagators(net):
    c, tm, ts = CELL["C_m"], CELL["tau_m"], TAU_SYN
    p22, p11 = np.exp(-DT / tm), np.exp(-DT / ts)
    return p22, tm / c * (1 - p22), p11, (p22 - p11) / (c * (1 / ts - 1 / tm))


def currents_by_step(net):
    seg = np.searchsorted(net["starts"], np.arange(STEPS), side="right") - 1
    return seg, net["current"][seg]


def simulate(net, dtype=np.float64, absolute=False):
    """The scheme of NEST's exact integration in numpy. Returns spikes[step, neuron] and V[step, neuron]
    before the reset (NaN while refractory). absolute: keep V itself, not V - E_L, in `dtype`."""
    p22, p20, p11, p21 = (dtype(p) for p in propagators(net))
    e_l = dtype(CELL["E_L"] if absolute else 0.0)
    base = CELL["E_L"] - float(e_l)
    th, reset = dtype(CELL["V_th"] - base), dtype(CELL["V_reset"] - base)
    delta = net["model"] == "iaf_psc_delta"
    by_source = [np.flatnonzero(net["source"] == i) for i in range(N)]
    weight, ring = net["weight"].astype(dtype), np.zeros((STEPS + 100, N), dtype)
    cur = currents_by_step(net)[1].astype(dtype)
    v, i_syn, ref = (net["v0"] - base).astype(dtype), np.zeros(N, dtype), np.zeros(N, int)
    spikes, trace = np.zeros((STEPS, N), bool), np.full((STEPS, N), np.nan)
    for k in range(STEPS):
        free = ref == 0
        new = (v - e_l) * p22 + e_l + cur[k] * p20 + (ring[k] if delta else i_syn * p21)
        v = np.where(free, new, v)
        ref[~free] -= 1
        i_syn = i_syn * p11 + ring[k]
        trace[k, free] = v[free].astype(float) + base
        fired = v >= th
        spikes[k], v, ref = fired, np.where(fired, reset, v), np.where(fired, round(CELL["t_ref"] / DT), ref)
        for i in np.flatnonzero(fired):                # stamped (k+1)*DT, acts in step k + delay
            c = by_source[i]
            np.add.at(ring, (k + net["delay"][c], net["target"][c]), weight[c])
    return spikes, trace


def sensitivities(net, spikes, i):
    """dV_i[step] / d(each incoming weight, each current of neuron i), the spikes held fixed."""
    p22, p20, p11, p21 = propagators(net)
    inc = np.flatnonzero(net["target"] == i)
    arrive = np.zeros((STEPS + 100, len(inc)))
    for j, c in enumerate(inc):
        arrive[np.flatnonzero(spikes[:, net["source"][c]]) + net["delay"][c], j] = 1.0
    seg = currents_by_step(net)[0]
    on = np.eye(len(net["starts"]))[seg]
    s, i_syn = np.zeros((STEPS, len(inc) + on.shape[1])), np.zeros(len(inc))
    now, ref = np.zeros(s.shape[1]), 0
    for k in range(STEPS):
        if ref == 0:
            push = arrive[k] if net["model"] == "iaf_psc_delta" else i_syn * p21
            now = now * p22 + np.r_[push, on[k] * p20]
        else:
            ref -= 1
        i_syn = i_syn * p11 + arrive[k]
        s[k] = now
        if spikes[k, i]:
            now, ref = np.zeros_like(now), round(CELL["t_ref"] / DT)
    return inc, s


def widen(net, most=0.02):
    """Nudge weights (3 %) and currents (2 pA) for the largest margin that keeps every spike."""
    spikes, trace = simulate(net)
    out = dict(net, weight=net["weight"].copy(), current=net["current"].copy())
    th = CELL["V_th"]
    for i in range(N):
        inc, s = sensitivities(net, spikes, i)
        at = np.flatnonzero(spikes[:, i])
        near = np.flatnonzero((trace[:, i] > th - 2.0) & ~spikes[:, i])
        # with x the nudges and m the margin: V + s x >= th + m in `at`, V + s x <= th - m in `near`
        a = np.c_[np.r_[-s[at], s[near]], np.ones(len(at) + len(near))]
        b = np.r_[trace[at, i] - th, th - trace[near, i]]
        bound = np.r_[0.03 * abs(net["weight"][inc]), np.full(len(net["starts"]), 2.0)]
        cost = np.r_[np.zeros(len(bound)), -1.0]
        x = linprog(cost, a, b, bounds=[*zip(-bound, bound), (0, most)]).x
        out["weight"][inc] += x[:len(inc)]
        out["current"][:, i] += x[len(inc):-1]
    out["weight"], out["current"] = out["weight"].round(4), out["current"].round(3)
    return out


def run_nest(net):
    """The same network in NEST. Returns spikes[step, neuron], final V, NEST's version."""
    import nest
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.SetKernelStatus(dict(resolution=DT, local_num_threads=1))
    par = dict(CELL) if net["model"] == "iaf_psc_delta" else dict(CELL, tau_syn_ex=TAU_SYN, tau_syn_in=TAU_SYN)
    pop = nest.Create(net["model"], N, par)
    pop.V_m = net["v0"]
    ids, rec = np.array(pop.tolist()), nest.Create("spike_recorder", params=dict(time_in_steps=True))
    nest.Connect(ids[net["source"]], ids[net["target"]], "one_to_one",
                 dict(synapse_model="static_synapse", weight=net["weight"].astype(float),
                      delay=(net["delay"] * DT).round(1)))
    nest.Connect(pop, rec)
    assert nest.num_connections == len(net["source"]) + N
    for start, stop, cur in zip(net["starts"], [*net["starts"][1:], STEPS], net["current"]):
        pop.I_e = cur
        nest.Simulate((stop - start) * DT)
    spikes = np.zeros((STEPS + 1, N), bool)
    spikes[rec.events["times"], rec.events["senders"] - ids[0]] = True      # time in steps = k + 1
    return spikes[1:], np.array(pop.V_m), nest.__version__


def statistics(spikes):
    isi = [np.diff(np.flatnonzero(spikes[:, i])) for i in range(N)]
    cv = [x.std() / x.mean() for x in isi if len(x) > 3]
    rate = spikes.sum(0) / (STEPS * DT * 1e-3)
    return dict(spikes=int(spikes.sum()), rate_exc_hz=round(rate[:N_EXC].mean(), 3),
                rate_inh_hz=round(rate[N_EXC:].mean(), 3), cv_isi=round(float(np.mean(cv)), 3),
                silent=int((rate == 0).sum()))


def margin(trace):
    return float(np.nanmin(abs(trace - CELL["V_th"])))


def checks(net, spikes, seed):
    """Does the spike list survive small changes and single precision? All must be True."""
    rng = np.random.default_rng(seed + 1)
    same = lambda other: bool((other == spikes).all())
    m, e = np.frexp(net["weight"])
    short = dict(net, weight=np.ldexp(np.round(m * 2.0**20) / 2.0**20, e))
    shifted = [dict(net, v0=net["v0"] + d) for d in (1e-5, -1e-5, rng.choice([-1e-5, 1e-5], N))]
    return {
        "nest_v_init_plus_1e-5_mV": same(run_nest(shifted[0])[0]),
        "nest_v_init_minus_1e-5_mV": same(run_nest(shifted[1])[0]),
        "nest_v_init_random_sign_1e-5_mV": same(run_nest(shifted[2])[0]),
        "nest_weights_rounded_to_2^-20": same(run_nest(short)[0]),
        "nest_currents_plus_2^-20": same(run_nest(dict(net, current=net["current"] * (1 + 2.0**-20)))[0]),
        "numpy_f64": same(simulate(net)[0]),
        "numpy_f32_relative_to_E_L": same(simulate(net, np.float32)[0]),
        "numpy_f32_absolute_V": same(simulate(net, np.float32, absolute=True)[0]),
    }


def write(folder, net, seed):
    spikes, v_end, version = run_nest(net)
    trace = simulate(net)[1]
    path = os.path.join(HERE, folder)
    os.makedirs(path, exist_ok=True)

    def table(name, header, rows):
        with open(os.path.join(path, name), "w", newline="") as f:
            w = csv.writer(f, lineterminator="\n")
            w.writerow(header)
            w.writerows(rows)

    table("neurons.csv", ["neuron", "kind", "v_init_mV", "v_end_mV"],
          [[i, "exc" if i < N_EXC else "inh", f"{net['v0'][i]:.3f}", f"{v_end[i]:.8f}"] for i in range(N)])
    table("connections.csv", ["source", "target", "weight", "delay_ms"],
          [[s, t, f"{w:.4f}", f"{d * DT:.1f}"] for s, t, w, d in
           zip(net["source"], net["target"], net["weight"], net["delay"])])
    table("currents.csv", ["neuron", "start_ms", "current_pA"],
          [[i, f"{s * DT:.1f}", f"{c[i]:.3f}"] for i in range(N) for s, c in zip(net["starts"], net["current"])])
    table("spikes.csv", ["time_ms", "neuron"], [[f"{(k + 1) * DT:.1f}", i] for k, i in np.argwhere(spikes)])
    pairs = [*zip(net["source"], net["target"])]
    delta = net["model"] == "iaf_psc_delta"
    about = dict(
        produced_by="make_explicit_network.py", simulator="NEST " + version, model=net["model"], seed=seed,
        parameters=CELL if delta else dict(CELL, tau_syn_ex=TAU_SYN, tau_syn_in=TAU_SYN),
        dt_ms=DT, duration_ms=STEPS * DT, neurons=dict(exc=N_EXC, inh=N_INH),
        connections=dict(count=len(pairs), autapses=sum(int(a == b) for a, b in pairs),
                         multapses=len(pairs) - len(set(pairs)), delay_ms=[DT, 8.0],
                         weight_unit="mV" if delta else "pA"),
        conventions=[
            "a spike found at the end of a step carries the time of that end; steps are counted from 0 ms",
            "a spike stamped t sent with delay d " + (
                "moves V at t + d; it is lost if the target is refractory then" if delta else
                "adds to the synaptic current at t + d; V first moves one step later"),
            "t_ref 2 ms: V stays at V_reset for the 20 steps after the spike's step",
            "a current with start_ms s acts in the step that begins at s"],
        statistics=statistics(spikes), margin_mV=round(margin(trace), 6),
        identical_spikes=checks(net, spikes, seed))
    with open(os.path.join(path, "about.json"), "w") as f:
        json.dump(about, f, indent=1)
        f.write("\n")
    print(folder, json.dumps(about["statistics"]), about["margin_mV"], about["identical_spikes"])
    assert all(about["identical_spikes"].values()), folder


if __name__ == "__main__":
    for folder, model, seed in (("explicit_network", "iaf_psc_exp", 3), ("explicit_network_delta", "iaf_psc_delta", 2)):
        first = draw(model, seed)
        net = widen(first)
        print(f"margin {margin(simulate(first)[1]):.2e} -> {margin(simulate(net)[1]):.2e} mV")
        write(folder, net, seed)
