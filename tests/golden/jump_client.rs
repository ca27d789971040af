//! What a Jump Client says and hears.

use jumpgate::domain::JumpClientId;
use jumpgate::domain::turned::JumpClientTurned;
use jumpgate::link::VERSION;
use jumpgate::link::message::{FromJumpClient, Purpose, Statistics, ToJumpClient};

use crate::examples::{Examples, label, named, token, welcome};

/// The first hello of a machine, and each one after that.
pub fn purposes() -> [(&'static str, Purpose); 2] {
    let purpose = |deployment| Purpose::JumpClient {
        deployment,
        computer: label("till-3"),
        platform: label("Debian GNU/Linux 12"),
    };
    [
        ("jump_client", purpose(None)),
        ("jump_client_deployed", purpose(Some(token()))),
    ]
}

pub fn from() -> Examples<FromJumpClient> {
    let statistics = Statistics {
        console_user: label("zoë"),
        uptime_seconds: 86_400,
        cpu_percent: 7,
        disk_used_mib: 12_345,
        disk_mib: 122_880,
    };
    match FromJumpClient::Statistics(Statistics::default()) {
        FromJumpClient::Statistics(_) => {}
    }
    named(vec![FromJumpClient::Statistics(statistics)])
}

pub fn to() -> Examples<ToJumpClient> {
    match ToJumpClient::Replaced {
        ToJumpClient::Welcome(_)
        | ToJumpClient::Turned { .. }
        | ToJumpClient::JumpClient { .. }
        | ToJumpClient::Restart { .. }
        | ToJumpClient::Replaced => {}
    }
    let mut all = vec![
        ToJumpClient::Welcome(welcome()),
        ToJumpClient::JumpClient {
            client: JumpClientId::from_random([0x42; 8]),
            statistics_seconds: 60,
        },
        ToJumpClient::Restart { seconds: Some(15) },
        ToJumpClient::Replaced,
    ];
    all.extend(turned().map(|reason| ToJumpClient::Turned { reason }));
    named(all)
}

fn turned() -> impl Iterator<Item = JumpClientTurned> {
    match JumpClientTurned::Full {
        JumpClientTurned::Version { .. }
        | JumpClientTurned::Device
        | JumpClientTurned::Limit { .. }
        | JumpClientTurned::ComeBack { .. }
        | JumpClientTurned::Full => {}
    }
    [
        JumpClientTurned::Version {
            versions: (VERSION, VERSION),
        },
        JumpClientTurned::Device,
        JumpClientTurned::Limit { limit: 1_000 },
        JumpClientTurned::ComeBack { millis: 83_250 },
        JumpClientTurned::Full,
    ]
    .into_iter()
}
