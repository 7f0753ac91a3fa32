//! Modules that trap, loop, eat memory or lie, beside filters that do their work.
use std::time::{Duration, Instant};

use enforcer_insight::filters::{Change, Raised, Stopped};
use enforcer_module::samples;
use enforcer_policy::Moment;

use super::stage::{Text, runner, show};

/// True for the reason that a module is stopped for.
type Why = fn(Stopped) -> bool;

/// What each does, and why it is stopped.
fn hostile() -> Vec<(Text, Why)> {
    let many = "(loop $on (call $say) (br $on))";
    vec![
        (Text::new("traps", "unreachable"), |why| why == Stopped::Trapped),
        (Text::new("divides", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"), |why| why == Stopped::Trapped),
        (Text::new("reads-outside", "(drop (i32.load (i32.const -4)))"), |why| why == Stopped::Trapped),
        (Text { more: "(func $deep (call $deep))", ..Text::new("recurses", "(call $deep)") }, |why| {
            why == Stopped::Trapped
        }),
        (Text::new("loops", "(loop $on (br $on))"), |why| matches!(why, Stopped::OutOfSteps { .. })),
        (
            Text::new("fills", "(loop $on (memory.fill (i32.const 0) (i32.const 0) (i32.const 131072)) (br $on))"),
            |why| matches!(why, Stopped::OutOfSteps { .. }),
        ),
        (Text::new("eats", "(loop $on (drop (memory.grow (i32.const 1))) (br $on))"), |why| {
            matches!(why, Stopped::OutOfMemory { .. })
        }),
        (Text::new("eats-at-once", "(drop (memory.grow (i32.const 60000)))"), |why| {
            why == Stopped::OutOfMemory { bytes: 60_002 << 16 }
        }),
        (Text::new("raises-outside", "(call $raise (i32.const 131070) (i32.const 40))"), |why| {
            why == Stopped::Misspoke
        }),
        (Text::new("raises-far", "(call $raise (i32.const -1) (i32.const -1))"), |why| why == Stopped::Misspoke),
        (Text::new("raises-much", "(call $raise (i32.const 0) (i32.const 100000))"), |why| why == Stopped::Misspoke),
        (Text::new("raises-nonsense", "(call $raise (i32.const 1) (i32.const 20))"), |why| why == Stopped::Misspoke),
        (Text::new("raises-often", many), |why| why == Stopped::Misspoke),
        (
            Text {
                more: "(func (export \"enforcer_tick\") (param i64) (loop $on (br $on)))",
                ..Text::new("ticks", "")
            },
            |why| matches!(why, Stopped::OutOfSteps { .. }),
        ),
        (
            Text { more: "(func (export \"enforcer_tick\") (param i64) (call $say))", ..Text::new("tick-says", "") },
            |why| why == Stopped::Misspoke,
        ),
    ]
}

/// Given all built-in filters and one module of each kind of mischief, when calls come, then each of these is stopped in a moment with
/// its reason, and what the others find is what they find without them.
#[test]
fn each_is_stopped_in_a_moment_and_the_others_go_on() {
    let calls = samples();
    let good = || Text::new("good", "(call $say)").module();
    let (mut alone, _) = runner(vec![good()]);
    let expected = show(&mut alone, &calls);
    assert!(expected.iter().any(|raised| raised.filter == "good" && !raised.sign.subjects.is_empty()));
    for (text, why) in hostile() {
        let (mut runner, gauges) = runner(vec![good(), text.module()]);
        runner.take_notices();
        let begin = Instant::now();
        let mut raised = show(&mut runner, &calls[..1]);
        raised.extend(runner.on_tick(Moment(1), &mut || 0));
        let took = begin.elapsed();
        let notices = runner.take_notices();
        let [notice] = &notices[..] else { panic!("{}: {notices:?}", text.name) };
        let Change::Stopped(stopped) = notice.change else { panic!("{}: {notice:?}", text.name) };
        println!("{:<16} {took:>12?} {} {:?}", text.name, gauges[1].read().worst, gauges[1].read().halted);
        assert!(notice.filter == text.name && why(stopped), "{}: {stopped}", text.name);
        assert!(took < Duration::from_secs(1), "{} took {took:?}", text.name);
        raised.extend(show(&mut runner, &calls[1..]));
        let others: Vec<Raised> = raised.into_iter().filter(|raised| raised.filter != text.name).collect();
        assert_eq!(others, expected, "{}", text.name);
        assert_eq!(runner.status().iter().filter(|status| status.stopped.is_some()).count(), 1);
    }
}

/// Given a module that loops, when a mended one is learned, then it runs in its place, and a stopped one can be started again.
#[test]
fn a_mended_one_takes_its_place() {
    let calls = samples();
    let loops = Text::new("mine", "(loop $on (br $on))").module();
    let (mut runner, _) = runner(vec![loops]);
    show(&mut runner, &calls);
    assert!(runner.restart("mine", "sample"), "it can be started again, and is stopped again");
    show(&mut runner, &calls);
    runner.take_notices();
    let mended = Text::new("mine", "(call $say)").module().entry(&std::sync::Arc::default());
    let catalogue = enforcer_insight::filters::Catalogue::built_in().with(mended);
    runner.learn(catalogue.clone());
    runner.apply(&super::stage::wanted(&catalogue));
    let changes: Vec<_> = runner.take_notices().into_iter().map(|notice| (notice.filter, notice.change)).collect();
    assert_eq!(changes, [("mine".into(), Change::Replaced)]);
    let raised = show(&mut runner, &calls);
    assert_eq!(raised.iter().filter(|raised| raised.filter == "mine").count(), calls.len());
}

/// Given a module that works as long as it may at each call, when calls come, then it is stopped before others wait for long.
#[test]
fn one_that_only_just_keeps_to_its_steps_is_stopped_too() {
    let burn = "(func $burn (local $left i32) (local.set $left (i32.const 250000)) (loop $on
        (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $on (local.get $left))))";
    let module = Text { more: burn, ..Text::new("busy", "(call $burn)") }.module();
    let (mut runner, gauges) = runner(vec![module]);
    runner.take_notices();
    let begin = Instant::now();
    let calls = samples();
    let stopped = calls.iter().cycle().take(2_000).find_map(|call| {
        runner.on_call(call, &mut || 0);
        runner.take_notices().into_iter().find(|notice| notice.filter == "busy")
    });
    let took = begin.elapsed();
    let notice = stopped.unwrap();
    assert!(matches!(notice.change, Change::Stopped(Stopped::OutOfSteps { steps: 100_000_000 })), "{notice:?}");
    println!("{took:?} with all others, {:?}", gauges[0].read());
    assert!(gauges[0].read().calls < 64, "{took:?}");
}

/// Given a module that takes memory when it starts, then what it holds is known.
#[test]
fn what_is_held_is_told() {
    let hungry = Text { start: "(drop (memory.grow (i32.const 100)))", ..Text::new("hungry", "") };
    let (runner, gauges) = runner(vec![hungry.module()]);
    let status = runner.status();
    let held = status.iter().find(|status| status.filter == "hungry").unwrap().held_bytes;
    assert_eq!((held, gauges[0].read().memory), (102 << 16, 102 << 16));
}
