"""References beyond those of neurons_nest.json and network_stats.json, in the same formats.

Writes next to this file
  neurons_extra.json  cases:  the exponential integrate-and-fire neuron (NEST's aeif_cond_exp, a = b = 0)
                              and Izhikevich's nine-parameter model of 2007 (scipy, events located)
  extra_nest.json     groups: brunel2000 with the paper's reset of 10 mV, fixed indegree (NEST)

Needs nest-simulator 3.10.0, numpy, scipy:  python make_extra.py  (the networks take a minute or two)
"""
import json, math, os, subprocess, sys
os.environ.setdefault("PYNEST_QUIET", "1")
import numpy as np
from scipy.integrate import solve_ivp

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "..", "..", "benches", "peers")


def eif_case(current, dt, t_end=400.0, every=2.0):
    import nest
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.SetKernelStatus(dict(resolution=dt))
    params = dict(C_m=281.0, g_L=30.0, Delta_T=2.0, a=0.0, b=0.0, I_e=current, gsl_error_tol=1e-9)
    n = nest.Create("aeif_cond_exp", params=params)
    keep = ("C_m Delta_T E_L E_ex E_in I_e V_m V_peak V_reset V_th a b g_L gsl_error_tol t_ref tau_syn_ex "
            "tau_syn_in tau_w w").split()
    every_param = {k: float(n.get(k)) for k in keep}
    meter = nest.Create("multimeter", params=dict(record_from=["V_m"], interval=every))
    rec = nest.Create("spike_recorder")
    nest.Connect(meter, n)
    nest.Connect(n, rec)
    nest.Simulate(t_end + 2.0)                  # the meter hands over its last sample a little later
    t, times = meter.events["times"], np.round(rec.events["times"], 6)
    return dict(name="EIF", model="aeif_cond_exp", set_params=params, all_params=every_param, dt_ms=dt,
                T_ms=t_end, spike_times_ms=times[times <= t_end + 1e-9].tolist(), sample_every_ms=every,
                sample_times_ms_first=float(t[0]), V_m=meter.events["V_m"][t <= t_end + 1e-9].round(8).tolist())


# Izhikevich 2007, regular spiking: C v' = k (v - vr)(v - vt) - u + I;  u' = a (b (v - vr) - u);
# v >= vpeak: v = c, u += d.  Starts at v = vr, u = 0.
RS = dict(C=100.0, k=0.7, vr=-60.0, vt=-40.0, vpeak=35.0, a=0.03, b=-2.0, c=-50.0, d=100.0)


def slope(v, u, i):
    p = RS
    return (p["k"] * (v - p["vr"]) * (v - p["vt"]) - u + i) / p["C"], p["a"] * (p["b"] * (v - p["vr"]) - u)


def izhikevich_exact(i, t_end, every):
    """Spikes at the exact crossing of vpeak (error below 1e-6 ms), and v, u every `every` ms."""
    peak = lambda t, y: y[0] - RS["vpeak"]
    peak.terminal, peak.direction = True, 1
    t, y, spikes, wanted, out = 0.0, [RS["vr"], 0.0], [], np.arange(1, round(t_end / every) + 1) * every, []
    while t < t_end:
        s = solve_ivp(lambda t, y: slope(*y, i), (t, t_end), y, method="DOP853", rtol=1e-12, atol=1e-12,
                      events=peak, dense_output=True)
        here = wanted[(wanted > t) & (wanted <= s.t[-1])]
        out += s.sol(here).T.tolist() if len(here) else []
        t = s.t[-1]
        if s.status == 1:
            spikes.append(t)
            y = [RS["c"], s.y[1, -1] + RS["d"]]
    return spikes, np.array(out)


def izhikevich_steps(i, t_end, h, rk4):
    """Fixed steps, reset at the end of the step that reaches vpeak; rk4, or Euler as in the book."""
    v, u, spikes = RS["vr"], 0.0, []
    for n in range(round(t_end / h)):
        k1 = slope(v, u, i)
        if rk4:
            k2 = slope(v + h / 2 * k1[0], u + h / 2 * k1[1], i)
            k3 = slope(v + h / 2 * k2[0], u + h / 2 * k2[1], i)
            k4 = slope(v + h * k3[0], u + h * k3[1], i)
            k1 = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4)]
        v, u = v + h * k1[0], u + h * k1[1]
        if v >= RS["vpeak"]:
            v, u = RS["c"], u + RS["d"]
            spikes.append(round((n + 1) * h, 6))
    return spikes


def izhikevich_case(i, t_end=1000.0, every=2.0):
    spikes, y = izhikevich_exact(i, t_end, every)
    fine = izhikevich_steps(i, t_end, 0.001, True)
    assert len(fine) == len(spikes) and np.allclose(fine, spikes, atol=0.002 * (len(spikes) + 1))
    return dict(name="izhikevich2007 RS", model="izhikevich2007", set_params=dict(RS, I_e=i, V_m=RS["vr"], U_m=0.0),
                method="DOP853 with located events", T_ms=t_end, spike_times_ms=np.round(spikes, 6).tolist(),
                rk4_dt0_001_spikes_ms=fine, rk4_dt0_1_spikes_ms=izhikevich_steps(i, t_end, 0.1, True),
                euler_dt1_spikes_ms=izhikevich_steps(i, t_end, 1.0, False), sample_every_ms=every,
                sample_times_ms_first=every, V_m=y[:, 0].round(8).tolist(), U_m=y[:, 1].round(8).tolist())


def brunel_group(reset, seeds=(1, 2, 3), seconds=0.6):
    """bench_nest.py brunel2000 --stats with another reset; one process a seed."""
    code = ("import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); import spec; "
            "spec.BRUNEL['vr'] = float(sys.argv.pop(1)); sys.argv[0] = 'bench_nest.py'; "
            "runpy.run_path(sys.path[0] + '/bench_nest.py', run_name='__main__')")
    lines = []
    for seed in seeds:
        done = subprocess.run([sys.executable, "-B", "-c", code, PEERS, str(reset), "brunel2000", "--seconds",
                               str(seconds), "--stats", "--seed", str(seed)], capture_output=True, text=True, check=True)
        lines.append(json.loads(done.stdout.strip().splitlines()[-1]))

    def over_seeds(values):
        return dict(mean=round(float(np.mean(values)), 4), sd=round(float(np.std(values, ddof=1)), 4),
                    values=[round(v, 4) for v in values])
    pick = lambda pop: {name: over_seeds([x["stats"][pop][key] for x in lines]) for name, key in
                        (("rate_hz", "rate"), ("cv_isi", "cv_isi"), ("frac_silent", "frac_silent"))}
    return dict(network="brunel2000", rule="indegree", variant=f"V_reset {reset:g} mV", simulator=lines[0]["simulator"],
                sim_seconds=seconds, seeds=list(seeds), window_ms=[200.0, 600.0], E=pick("E"), I=pick("I"),
                fano_1ms=over_seeds([x["stats"]["fano_1ms"] for x in lines]))


def save(name, value):
    with open(os.path.join(HERE, name), "w") as f:
        json.dump(value, f, separators=(",", ":"), allow_nan=False)
        f.write("\n")


if __name__ == "__main__":
    cases = [eif_case(i, dt) for i in (500.0, 600.0, 800.0) for dt in (0.1, 0.01)]
    cases += [izhikevich_case(i) for i in (70.0, 100.0)]
    save("neurons_extra.json", dict(meta=dict(
        produced_by="make_extra.py", units="mV ms pA nS pF", aeif="NEST 3.10.0, conventions of neurons_nest.json",
        izhikevich2007="C v' = k (v - vr)(v - vt) - u + I; u' = a (b (v - vr) - u); v >= vpeak: v = c, u += d; "
                       "spike_times_ms is the exact crossing; rk4_* and euler_* reset at the end of the step and "
                       "carry that time"), cases=cases))
    for c in cases:
        print(c["name"], c["set_params"]["I_e"], c.get("dt_ms"), len(c["spike_times_ms"]), c["spike_times_ms"][:4],
              {k: (len(c[k]), c[k][-1]) for k in c if k.endswith("spikes_ms")}, c["spike_times_ms"][-1:])
    if "--no-networks" not in sys.argv:
        group = brunel_group(10.0)
        save("extra_nest.json", dict(meta=dict(
            produced_by="make_extra.py with benches/peers/bench_nest.py", definitions="as in network_stats.json"),
            groups=[group]))
        print(json.dumps(group))
