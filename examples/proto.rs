use neuropil::prelude::*;
use neuropil::neurons::lif_exp::LifExp;
use std::time::Instant;
fn cpu() -> f64 { unsafe { let mut r: libc::rusage = std::mem::zeroed(); libc::getrusage(libc::RUSAGE_SELF, &mut r); (r.ru_utime.tv_sec + r.ru_stime.tv_sec) as f64 + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) as f64 * 1e-6 } }
fn cuba() -> Scene {
    let m = LifExp { e_l: (-49.0).into(), c_m: 200.0.into(), tau_m: 20.0.into(), v_th: (-50.0).into(), v_reset: (-60.0).into(), t_ref: 5.0.into(), tau_syn_ex: 5.0.into(), tau_syn_in: 10.0.into(), i_e: 0.0.into() };
    let mut s = Scene::default();
    let v = Distribution::Uniform { min: -60.0, max: -50.0 };
    s.regions.push(RegionSpec::new("E", 3200, m.clone()).starting("v", v.clone()));
    s.regions.push(RegionSpec::new("I", 800, m).starting("v", v));
    for to in ["E", "I"] {
        s.projections.push(ProjectionSpec::new("E", to, Rule::FixedIndegree(64), 16.2, 0.1));
        s.projections.push(ProjectionSpec::new("I", to, Rule::FixedIndegree(16), -90.0, 0.1));
    }
    s
}
fn pd14(scale: f64) -> Scene {
    let n = [20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948];
    let names = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"];
    let p = [[0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],[0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],[0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0],[0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],[0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],[0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0],[0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],[0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443]];
    let kext = [1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100];
    let v0 = [-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43];
    let sd = [5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48];
    let w0 = 87.8085;
    let mut s = Scene::default();
    for i in 0..8 {
        let m = LifExp { e_l: (-65.0).into(), c_m: 250.0.into(), tau_m: 10.0.into(), v_th: (-50.0).into(), v_reset: (-65.0).into(), t_ref: 2.0.into(), tau_syn_ex: 0.5.into(), tau_syn_in: 0.5.into(), i_e: 0.0.into() };
        s.regions.push(RegionSpec::new(names[i], (n[i] as f64 * scale).round() as u32, m).starting("v", Distribution::Normal { mean: v0[i], sd: sd[i], min: None, max: None }));
        s.stimuli.push(StimulusSpec::new(names[i], StimulusKind::Poisson { rate_hz: (8.0 * kext[i] as f64 * scale).into(), weight: (w0 / scale.sqrt()).into(), delay_ms: 1.5, receptor: None }));
        for j in 0..8 {
            if p[i][j] == 0.0 { continue; }
            let nn = n[i] as f64 * n[j] as f64;
            let k = (1.0f64 - p[i][j]).ln() / ((nn - 1.0) / nn).ln();
            let k = (k * scale * scale).round();
            let mut w = w0 / scale.sqrt() * if j % 2 == 1 { -4.0 } else { 1.0 };
            if i == 0 && j == 2 { w *= 2.0; }
            let (min, max) = if w > 0.0 { (Some(0.0), None) } else { (None, Some(0.0)) };
            let d = if j % 2 == 1 { 0.75 } else { 1.5 };
            s.projections.push(ProjectionSpec { receptor: Some("excitatory".into()), ..ProjectionSpec::new(names[j], names[i], Rule::FixedTotalNumber(k as u64), Distribution::Normal { mean: w, sd: w.abs() * 0.1, min, max }, Distribution::Normal { mean: d, sd: d * 0.5, min: Some(0.05), max: None }) });
        }
    }
    s
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let threads: usize = a[2].parse().unwrap();
    let seconds: f64 = a[3].parse().unwrap();
    let scene = match a[1].as_str() { "cuba" => cuba(), "pdfull" => pd14(1.0), _ => pd14(0.1) };
    let simd = SimdLevel::named(a.get(4).map_or("auto", |s| s)).unwrap();
    let t = Instant::now();
    let mut sim = Simulation::new(&scene, &BuildOptions { threads, simd, ..default() }).unwrap();
    println!("build {:.2} s", t.elapsed().as_secs_f64());
    sim.run_ms(100.0);
    let (t, c, b) = (Instant::now(), cpu(), sim.spike_count());
    sim.run_ms(seconds * 1e3);
    let e = sim.spike_count();
    println!("{} threads {} {}: wall {:.4} cpu {:.4} per s; spikes/s {:.0} events/s {:.3e} hash {:016x}", a[1], threads, simd.name(), t.elapsed().as_secs_f64() / seconds, (cpu() - c) / seconds, (e.spikes - b.spikes) as f64 / seconds, (e.events - b.events) as f64 / seconds, e.hash);
}
