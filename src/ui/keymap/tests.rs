use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn built_in() -> Keymap {
    Keymap::built_in().expect("the embedded map is right")
}

fn problems(text: &str) -> String {
    match built_in().merged("mine.toml", text) {
        Ok(_) => panic!("must be refused: {text}"),
        Err(error) => error.to_string(),
    }
}

fn print(map: &Keymap) -> String {
    let mut text = "[keys]\n".to_owned();
    for action in Action::ALL {
        let keys: Vec<String> =
            map.keys(*action).iter().map(|key| toml::Value::String(key.to_string()).to_string()).collect();
        writeln!(text, "{} = [{}]", action.name(), keys.join(", ")).expect("writes to a string");
    }
    text
}

#[test]
fn the_embedded_map_is_the_tables_defaults() {
    let map = built_in();
    for action in Action::ALL {
        let keys: Vec<String> = map.keys(*action).iter().map(ToString::to_string).collect();
        assert_eq!(keys, action.default_keys(), "{}", action.name());
    }
}

#[test]
fn a_file_replaces_the_keys_of_its_actions_and_takes_keys_from_others() {
    let map = built_in().merged("mine.toml", "[keys]\nquit = [\"z\"]").expect("fine");
    assert_eq!(map.action(Chord::parse("z").expect("key")), Some(Action::Quit));
    assert_eq!(map.action(Chord::parse("q").expect("key")), None);
    assert_eq!(map.keys(Action::Zoom), []);
    assert_eq!(map.hint(Action::Zoom), ":zoom");
}

#[test]
fn every_problem_is_named_at_once() {
    let text = problems(
        "colour = 1\n[keys]\nkil = [\"K\"]\nquit = [\"entr\", 3]\nhelp = \"?\"\ntop = [\"x\"]\nbottom = [\"x\"]",
    );
    for part in [
        "mine.toml",
        "keys.kil: no such action",
        "kill, arm",
        "'entr'",
        "3 is not a key",
        "keys.help: must be",
        "colour",
        "'x'",
    ] {
        assert!(text.contains(part), "{part} missing in {text}");
    }
}

#[test]
fn the_kill_key_cannot_be_unbound_stolen_or_hidden_under_typing() {
    assert!(problems("[keys]\nkill = []").contains("must have a key"));
    assert!(problems("[keys]\nzoom = [\"K\"]").contains("must have a key"));
    assert!(problems("[keys]\nkill = [\"a\"]").contains("needed for typing"));
    assert!(problems("[keys]\nkill = [\"enter\"]").contains("needed for typing"));
    assert!(built_in().merged("mine.toml", "[keys]\nkill = [\"f9\", \"ctrl-x\"]").is_ok());
}

proptest! {
    #[test]
    fn a_printed_map_reads_back_as_itself(moves in proptest::collection::vec((0..Action::ALL.len(), "[a-z]|ctrl-[a-h]|f[1-9]"), 0..12)) {
        let mut map = built_in();
        for (index, key) in moves {
            let action = Action::ALL[index];
            let text = format!("[keys]\n{} = [\"{key}\"]", action.name());
            if let Ok(changed) = map.clone().merged("step", &text) {
                map = changed;
            }
        }
        let text = print(&map);
        prop_assert_eq!(Keymap::default().merged("printed", &text).expect("reads back"), map);
    }
}
