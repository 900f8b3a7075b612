//! Places, budgets and refusals of the tree.

use proptest::prelude::*;

use super::*;

fn tree(text: &str) -> (Option<Node>, Vec<(&'static str, usize, usize)>) {
    let mut notes = Notes::new("t.yaml");
    let node = parse(text, &mut notes);
    (node, notes.into_list().into_iter().map(|p| (p.id, p.line, p.col)).collect())
}

#[test]
fn columns_count_characters_behind_hangul() {
    let (node, problems) = tree("제목: 값\n목록: [ 가나다, 라 ]\n");
    let node = node.unwrap();
    assert!(problems.is_empty());
    let list = node.get("목록").unwrap();
    let places: Vec<_> = list.items().iter().map(|item| (item.at.line, item.at.col, item.at.len)).collect();
    assert_eq!(places, [(2, 7, 3), (2, 12, 1)]);
    assert_eq!(node.get("제목").map(|n| (n.at.line, n.at.col)), Some((1, 5)));
}

#[test]
fn every_duplicate_key_is_a_problem_with_its_place() {
    let (node, problems) = tree("가: 1\n가: 2\n나: { x: 1, x: 2, x: [3] }\n");
    assert_eq!(problems, [("duplicate-key", 2, 1), ("duplicate-key", 3, 12), ("duplicate-key", 3, 18)]);
    assert_eq!(node.unwrap().get("가").and_then(Node::as_text), Some("1"), "the first one stays");
}

#[test]
fn a_missing_value_is_at_its_key() {
    let (node, _) = tree("a:\n  title:\n  b: ~\n");
    let node = node.unwrap();
    let title = node.get("a").and_then(|a| a.get("title")).unwrap();
    assert_eq!((title.at.line, title.at.col), (2, 3));
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let row = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{row}]\n"));
    }
    assert_eq!(tree(&bomb).1.first().map(|p| p.0), Some("yaml-budget"));
    assert_eq!(tree(&"[".repeat(10_000)).1.len(), 1);
    let block: String = (0..2_000).map(|n| format!("{}-\n", " ".repeat(n))).collect();
    assert_eq!(tree(&block).1.first().map(|p| p.0), Some("yaml-depth"));
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for n in 1..100 {
        chain.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
    }
    assert_eq!(tree(&chain).1.first().map(|p| p.0), Some("yaml-depth"));
}

#[test]
fn merged_maps_give_what_the_map_has_not() {
    let text = "a: &a { x: 1, y: 2 }\nb: &b { y: 3, z: 4 }\nc: { <<: [*a, *b], x: 9 }\nd: { <<: *a }\n";
    let (node, problems) = tree(text);
    assert_eq!(problems, []);
    let flat = |key: &str| -> Vec<(String, String)> {
        let root = node.as_ref().unwrap();
        let map = root.entries().iter().find(|entry| entry.key == key).unwrap();
        map.value.entries().iter().map(|e| (e.key.clone(), e.value.as_text().unwrap_or("").to_owned())).collect()
    };
    let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(flat("c"), pairs(&[("x", "9"), ("y", "2"), ("z", "4")]));
    assert_eq!(flat("d"), pairs(&[("x", "1"), ("y", "2")]));
    assert_eq!(tree("a: { <<: 5 }\n").1, [("yaml-merge", 1, 6)]);
}

#[test]
fn syntax_errors_point_at_the_line() {
    let (node, problems) = tree("제목: 가\n\ttitle: x\n");
    assert!(node.is_none());
    assert_eq!((problems.len(), problems[0].0, problems[0].1), (1, "yaml-syntax", 2));
    assert_eq!(tree("a: 1\n---\nb: 2\n").1, [("yaml-documents", 2, 1)]);
    assert_eq!(tree("a: !x 1\n").1, [("yaml-tag", 1, 4)]);
    assert_eq!(tree("[a]: 1\n").1, [("yaml-key", 1, 1)]);
}

#[test]
fn bytes_that_are_not_utf8_have_a_place() {
    let mut notes = Notes::new("t.yaml");
    let mut bytes = "가: 나\n다: ".as_bytes().to_vec();
    bytes.push(0xb0);
    assert!(decode(&bytes, &mut notes).is_none());
    assert_eq!(notes.into_list().first().map(|p| (p.line, p.col)), Some((2, 4)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(text in "[-\\[\\]{}:,?&*!|>'\"%@`# \n\ta-c가0-9~.<]{0,60}") {
        tree(&text);
    }
}
