//! More processes, or more machines: a thread that is full on a machine with idle cores, workers that are all busy while
//! cores idle, or cores that are all at work.

use super::{Advice, Done, Gain, Lines, Measured, Price, Rule, Verdict, unsure, uses_machine, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::facts::Application;
use crate::picture::Picture;
use crate::signal;

pub(super) struct Instances;

/// Idle cores it takes for one more process.
const IDLE: f64 = 0.7;
/// Share of a core that a process is taken to use at least, when it is full.
const LEAST_USE: f64 = 0.25;
/// Processes that are proposed at once, for each there is.
const MOST_TIMES: usize = 4;

const PROCESSES: Price = Price {
    complexity: "what a process keeps in memory (sessions, counters, caches) the others do not see",
    staleness: "none",
    money: "memory for each process",
    operations: "more processes to start and watch; the database must bear the connections of all of them",
};
const MACHINES: Price = Price {
    complexity: "what is kept on a machine's disk or in its memory the others do not see",
    staleness: "none",
    money: "another machine",
    operations: "deploying to several machines",
};

impl Rule for Instances {
    fn technique(&self) -> &'static str {
        "more_instances"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let near: Vec<&Cliff> =
            worrying(cliffs, Kind::Cpu).chain(worrying(cliffs, Kind::Concurrency)).collect();
        if near.is_empty() {
            let missing = unsure(cliffs, Kind::Cpu);
            return Verdict::of(Vec::new(), &missing, || {
                "neither cores nor workers are near their end".into()
            });
        }
        let cores = picture.store.latest(&signal::CPU_CORES, "");
        let Some(idle) = cores.zip(picture.minute(&signal::CPU_BUSY, "")).map(|(cores, busy)| cores - busy)
        else {
            return Verdict::CannotTell("how many cores idle is not known".into());
        };
        let (mut found, mut reasons, mut missing) = (Vec::<Advice>::new(), Vec::new(), Vec::new());
        for cliff in near {
            let application =
                picture.facts.applications.iter().find(|application| application.name == cliff.resource);
            let advice = match application {
                None if cliff.resource == "machine" => match machines(picture, cliff) {
                    Ok(advice) => Ok(advice),
                    Err(why) => {
                        missing.push(format!("{}, {why}", cliff.text));
                        continue;
                    }
                },
                None => Err(format!("{} is none of the pools of targets", cliff.resource)),
                Some(application) => processes(picture, cliffs, cliff, application, idle),
            };
            match advice {
                // A thread and its workers are one process.
                Ok(advice) if found.iter().any(|known| known.id == advice.id) => {}
                Ok(advice) => found.push(advice),
                Err(why) => reasons.push(why),
            }
        }
        Verdict::of(found, &missing, || reasons.join("; "))
    }
}

fn processes(
    picture: &Picture<'_>,
    cliffs: &Cliffs,
    cliff: &Cliff,
    application: &Application,
    idle: f64,
) -> Result<Advice, String> {
    let name = &application.name;
    let now = application.targets.len().max(1);
    if idle < IDLE {
        return Err(format!("{idle:.1} cores idle: another process of `{name}` would have none"));
    }
    let use_now = picture.minute(&signal::APP_CPU, name).map(|cpu| (cpu / now as f64).max(LEAST_USE));
    // What one uses, more of them use, too.
    let more = ((idle / use_now.unwrap_or(1.0)).floor() as usize).clamp(1, MOST_TIMES * now);
    let then = now + more;
    // No further than the machine goes.
    let machine = cliffs.cliffs.iter().find(|other| other.kind == Kind::Cpu && other.resource == "machine");
    let machine = machine.and_then(|machine| machine.at).map_or(f64::INFINITY, |at| at.load);
    let from = cliff.at.map(|at| at.load);
    let to = from.map(|from| (from * then as f64 / now as f64).min(machine.max(from)));
    let targets = grown(&application.targets, then);
    Ok(Advice {
        id: format!("more_instances:{name}"),
        technique: "more_instances",
        title: format!("{then} processes of `{name}` in place of {now}"),
        why: format!("{}, and {idle:.1} cores idle", cliff.text),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: match from.zip(to) {
                Some((from, to)) => format!("its end is at {to:.0} instead of {from:.0} a second"),
                None => format!("{then} work where {now} did"),
            },
            from,
            to,
            unit: "per second".into(),
            measured: Measured::Knee(cliff.id.clone()),
        },
        price: PROCESSES,
        lines: targets.map(|targets| Lines::Targets { application: name.clone(), targets }.to_string()),
        elsewhere: Some(format!(
            "start {more} more of it first, each on a port of its own (or let its server fork: gunicorn -w {then}, node's \
             cluster, puma -w {then})"
        )),
        evidence: cliff.evidence.clone(),
        done: Done::Targets { application: name.clone(), least: then },
    })
}

/// The targets, and further ones on the ports after the last; none if they have no ports to count on from.
fn grown(targets: &[String], to: usize) -> Option<Vec<String>> {
    let (host, port) = targets.last()?.rsplit_once(':')?;
    let mut port: u16 = port.parse().ok()?;
    let mut all = targets.to_vec();
    while all.len() < to {
        port = port.checked_add(1)?;
        let next = format!("{host}:{port}");
        if !all.contains(&next) {
            all.push(next);
        }
    }
    Some(all)
}

/// Another machine, if it is the application that fills this one.
///
/// # Errors
/// It is not, or that cannot be seen.
fn machines(picture: &Picture<'_>, cliff: &Cliff) -> Result<Advice, String> {
    let applications = &picture.facts.applications;
    let used = applications.iter().map(|known| (known, uses_machine(picture, &known.name)));
    if used.clone().all(|(_, uses)| uses == Some(false)) {
        return Err(
            "and not by an application behind Deepwater: what uses them is not seen from here, `top` tells"
                .into(),
        );
    }
    let busiest = used
        .filter(|(_, uses)| *uses == Some(true))
        .filter_map(|(known, _)| Some((known, picture.minute(&signal::APP_CPU, &known.name)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((known, cpu)) = busiest else {
        return Err(
            "and whether by the application is not known: its process is not seen, or not running".into()
        );
    };
    let who = format!("; `{}` uses {cpu:.1} of its cores and can move first", known.name);
    Ok(Advice {
        id: "more_instances:machine".into(),
        technique: "more_instances",
        title: "another machine, after what makes less work".into(),
        why: format!("{}{who}", cliff.text),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: "its cores are added; how far the load goes then depends on what moves there, so there is no figure".into(),
            from: cliff.at.map(|at| at.load),
            to: None,
            unit: "per second".into(),
            measured: Measured::Knee(cliff.id.clone()),
        },
        price: MACHINES,
        lines: None,
        elsewhere: Some(
            "run the application there as well and add its address to the `targets` of its pool; or move the database, if it \
             runs here"
                .into(),
        ),
        evidence: cliff.evidence.clone(),
        done: Done::NotSeen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    fn scene(busy: f64) -> Scene {
        let mut scene = Scene::new();
        scene.application("app");
        scene.all(&signal::CPU_CORES, "", 4.0);
        scene.all(&signal::CPU_BUSY, "", busy);
        scene.all(&signal::APP_CPU, "app", 0.9);
        scene
    }

    #[test]
    fn a_full_thread_beside_idle_cores_gets_company() {
        let mut scene = scene(1.2);
        scene.cliff(Kind::Cpu, "app", Level::Near, Some(245.0));
        scene.cliff(Kind::Cpu, "machine", Level::Clear, Some(800.0));
        scene.cliff(Kind::Concurrency, "app", Level::Near, Some(240.0));
        let advice = scene.advised(&Instances);
        assert_eq!(advice.len(), 1, "once, though thread and workers are near");
        // 2.8 idle cores, 0.9 each: three more. 4 · 245 is further than the machine goes.
        assert_eq!(advice[0].done, Done::Targets { application: "app".into(), least: 4 });
        assert_eq!(advice[0].gain.to, Some(800.0));
        assert!(advice[0].lines.as_ref().unwrap().contains("\"127.0.0.1:3003\""));
    }

    #[test]
    fn cores_that_others_use_are_no_reason_for_another_machine() {
        let mut scene = scene(3.9);
        scene.cliff(Kind::Cpu, "machine", Level::Near, Some(800.0));
        assert!(scene.cannot_tell(&Instances).contains("`top`"));
    }

    #[test]
    fn nor_are_cores_of_which_nobody_knows_who_uses_them() {
        let mut unseen = scene(3.9);
        unseen.each(&signal::APP_CPU, "app", []);
        unseen.cliff(Kind::Cpu, "machine", Level::Near, Some(800.0));
        assert!(unseen.cannot_tell(&Instances).contains("not running"));
        // A pooler alone.
        unseen.facts.applications.clear();
        assert!(unseen.cannot_tell(&Instances).contains("`top`"));
    }

    #[test]
    fn a_full_machine_gets_another_one_without_a_figure() {
        let mut scene = scene(3.9);
        scene.all(&signal::APP_CPU, "app", 2.5);
        scene.cliff(Kind::Cpu, "machine", Level::Near, Some(800.0));
        let advice = scene.advised(&Instances);
        assert_eq!((advice[0].gain.to, advice[0].lines.as_ref()), (None, None));
        assert!(advice[0].why.contains("`app` uses 2.5"), "{}", advice[0].why);
    }

    #[test]
    fn without_idle_cores_or_without_a_cliff_there_are_no_more_processes() {
        let mut full = scene(3.9);
        full.cliff(Kind::Cpu, "app", Level::Near, Some(245.0));
        assert!(full.no_need(&Instances).contains("0.1 cores idle"));
        assert!(scene(1.0).no_need(&Instances).contains("neither"));
        let mut unknown = Scene::new();
        unknown.cliff(Kind::Cpu, "app", Level::Near, None);
        assert!(unknown.cannot_tell(&Instances).contains("not known"));
    }

    #[test]
    fn addresses_without_ports_are_not_made_up() {
        assert_eq!(grown(&["unix:/run/app.sock".into()], 2), None);
        assert_eq!(grown(&["a:65535".into()], 2), None);
        let all = grown(&["a:2".into(), "a:1".into()], 4).unwrap();
        assert_eq!(all, ["a:2", "a:1", "a:3", "a:4"]);
    }
}
