use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A manifest whose root has one chunk and a bit, and whose other files have a few bytes.
fn written() -> Value {
    let digits = |n: usize| format!("{n:064x}");
    let files: Vec<Value> = Name::ALL
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let (bytes, chunks) = if *name == Name::Root {
                (CHUNK_BYTES + 4_096, 2)
            } else {
                (300, 1)
            };
            let chunks: Vec<String> = (0..chunks)
                .map(|chunk| digits(number * 10 + chunk))
                .collect();
            json!({ "name": name.text(), "bytes": bytes, "chunks": chunks })
        })
        .collect();
    json!({
        "format": 1, "product": "jumpgate", "model": "b400", "profile": "hardware",
        "channel": "release", "version": "0.3.0", "sequence": 17, "epoch": 1,
        "built": 1_764_000_000, "schema": 2, "notes": "Faster.\nSafer.", "files": files
    })
}

fn read(value: &Value) -> Result<Manifest, ManifestError> {
    Manifest::decode(value.to_string().as_bytes())
}

/// What is said about a manifest in which `pointer` is `value`.
fn tampered(pointer: &str, value: Value) -> String {
    let mut manifest = written();
    *manifest.pointer_mut(pointer).unwrap() = value;
    read(&manifest).unwrap_err().to_string()
}

#[test]
fn chunks_lie_one_behind_the_other_in_the_payload() {
    let manifest = read(&written()).unwrap();
    assert_eq!(
        (manifest.version.as_str(), manifest.sequence),
        ("0.3.0", 17)
    );
    let chunks: Vec<Chunk> = manifest.chunks().collect();
    assert_eq!(chunks.len(), 8);
    assert_eq!(
        (chunks[1].at, chunks[1].within),
        (CHUNK_BYTES as u64, CHUNK_BYTES as u64)
    );
    assert_eq!(chunks[1].bytes, 4_096);
    assert_eq!((chunks[2].file, chunks[2].within), (Name::Initramfs, 0));
    assert_eq!(chunks[2].at, CHUNK_BYTES as u64 + 4_096);
    assert_eq!(
        manifest.payload_bytes(),
        CHUNK_BYTES as u64 + 4_096 + 6 * 300
    );
    fuzz(written().to_string().as_bytes());
}

#[test]
fn a_chunk_is_its_bytes_and_nothing_else() {
    let bytes = vec![7; 300];
    let mut manifest = written();
    manifest["files"][1]["chunks"][0] = json!(Fingerprint::of(&bytes).to_string());
    let chunk = read(&manifest).unwrap().chunks().nth(2).unwrap();
    assert!(chunk.is(&bytes));
    assert!(!chunk.is(&bytes[1..]) && !chunk.is(&[8; 300]));
}

#[test]
fn what_is_not_for_this_product_or_version_is_named() {
    assert_eq!(
        tampered("/product", json!("kettle")),
        "an update for 'kettle', not for jumpgate"
    );
    assert_eq!(
        tampered("/format", json!(2)),
        "a manifest of format 2, this version reads format 1"
    );
    let mut later = written();
    later["later"] = json!(1);
    assert!(
        read(&later)
            .unwrap_err()
            .to_string()
            .contains("unknown field `later`")
    );
}

#[test]
fn a_value_that_cannot_be_is_refused() {
    for (pointer, value) in [
        ("/profile", json!("va-s")),
        ("/version", json!("")),
        ("/version", json!("1\"; reboot")),
        ("/sequence", json!(2_147_483_648_u32)),
        ("/epoch", json!(2_147_483_648_u32)),
        ("/notes", json!("\u{1b}[2J")),
        ("/notes", json!("x".repeat(NOTES_BYTES_MAX + 1))),
    ] {
        let key = &pointer[1..];
        let said = tampered(pointer, value);
        assert!(
            said.starts_with(&format!("the manifest's '{key}' cannot be ")),
            "{said}"
        );
    }
    for (pointer, value) in [
        ("/model", json!("b500")),
        ("/channel", json!("beta")),
        ("/sequence", json!(-1)),
        ("/files/0/name", json!("../root.img")),
        ("/files/0/chunks/0", json!("xy")),
    ] {
        assert!(tampered(pointer, value).starts_with("the manifest is not understood"));
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    for (pointer, value, said) in [
        (
            "/files/0/bytes",
            json!(CHUNK_BYTES),
            "root.img has 1048576 bytes in 2 chunks",
        ),
        (
            "/files/0/bytes",
            json!(CHUNK_BYTES + 4_095),
            "root.img has 1052671 bytes in 2 chunks",
        ),
        (
            "/files/1/bytes",
            json!(0),
            "initramfs has 0 bytes in 1 chunks",
        ),
        (
            "/files/6/chunks",
            json!([]),
            "slot.cfg has 300 bytes in 0 chunks",
        ),
    ] {
        assert_eq!(tampered(pointer, value), said);
    }
    let most = tampered("/files/0/bytes", json!(u64::MAX));
    assert!(most.contains("bytes, 268435456 are allowed"), "{most}");
}

#[test]
fn every_file_of_a_slot_is_there_once_and_in_its_place() {
    let mut without = written();
    without["files"].as_array_mut().unwrap().remove(3);
    let mut swapped = written();
    swapped["files"].as_array_mut().unwrap().swap(0, 1);
    let mut twice = written();
    twice["files"][1] = twice["files"][0].clone();
    for manifest in [without, swapped, twice] {
        let refused = read(&manifest);
        assert!(
            matches!(refused, Err(ManifestError::Files { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn a_manifest_too_long_is_not_even_read() {
    let long = vec![b' '; MANIFEST_BYTES_MAX + 1];
    assert!(matches!(
        Manifest::decode(&long),
        Err(ManifestError::TooLong { .. })
    ));
}

proptest! {
    #[test]
    fn fuzz_smoke(data: Vec<u8>, at in any::<prop::sample::Index>(), byte: u8) {
        fuzz(&data);
        let mut mixed = written().to_string().into_bytes();
        let at = at.index(mixed.len());
        mixed[at] = byte;
        fuzz(&mixed);
    }
}
