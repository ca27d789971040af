//! Which limits apply to a machine: what it is, what its image was made for, what it has.

use std::fmt;
use std::str::FromStr;

use super::Model;

/// Memory that is kept aside (for kernel, firmware, a display) may be this part of a size's need.
const KEPT_ASIDE: u64 = 8;

/// What an image was made for. Signed with the image, so nobody sizes up by a word on a command
/// line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Machines of ours: the firmware knows which one it is.
    Hardware,
    /// A virtual machine of this size.
    Virtual(Model),
}

impl Profile {
    /// What an image for `model` is made for.
    pub fn of(model: Model) -> Self {
        match model {
            Model::B200 | Model::B300 | Model::B400 => Self::Hardware,
            Model::VaS | Model::VaM | Model::VaL => Self::Virtual(model),
        }
    }
}

impl fmt::Display for Profile {
    /// As scripts write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hardware => "hardware",
            Self::Virtual(model) => model.code(),
        })
    }
}

/// A word that names no profile.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown profile '{found}', expected hardware, va-s, va-m or va-l")]
pub struct UnknownProfile {
    /// What was written.
    pub found: String,
}

impl FromStr for Profile {
    type Err = UnknownProfile;
    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        let all = Model::ALL.into_iter().map(Self::of);
        let known = all.into_iter().find(|profile| profile.to_string() == text);
        known.ok_or_else(|| UnknownProfile {
            found: text.to_owned(),
        })
    }
}

/// What a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Memory that the kernel manages.
    pub memory_mib: u64,
    /// Processors in use.
    pub cores: u32,
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_mib, cores } = self;
        let plural = if *cores == 1 { "" } else { "s" };
        write!(f, "{memory_mib} MiB of memory and {cores} core{plural}")
    }
}

/// What a virtual size needs. Estimates, until load has been put on each size:
///
/// Memory: an active Jump Client is a connection that stays, about 100 KiB with the kernel's socket
/// buffers, TLS and what the hub remembers. With 512 MiB for everything else, rounded up to what
/// virtual machines are commonly given, that makes 1, 2 and 4 GiB. Cores: after an outage all
/// clients come back at once, about a millisecond of one core for each handshake; this many are
/// through with it in less than ten seconds.
fn needs(size: Model) -> Resources {
    let (memory_mib, cores) = match size {
        Model::B200 | Model::VaS => (1_024, 1),
        Model::B300 | Model::VaM => (2_048, 2),
        Model::B400 | Model::VaL => (4_096, 4),
    };
    Resources { memory_mib, cores }
}

/// Whose limits apply, and why, if it is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// Its limits apply.
    pub model: Model,
    /// Why they are not higher.
    pub shortfall: Option<Shortfall>,
}

/// Why the limits are lower than they might be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortfall {
    /// The firmware names no model of ours.
    #[error("unknown hardware '{product}': the limits are the lowest")]
    UnknownHardware {
        /// What it names.
        product: String,
    },
    /// The virtual machine was given too little.
    #[error("{asked} needs {needs}, this machine has {has}")]
    Resources {
        /// What the image is made for.
        asked: Model,
        /// What that needs.
        needs: Resources,
        /// What there is.
        has: Resources,
    },
}

impl Sizing {
    /// Of a machine whose firmware calls it `product` (SMBIOS, system information, product name)
    /// and which runs an image made for `profile`; `None` if the image does not say. Never refuses:
    /// what is unknown or too small gets the lowest limits.
    pub fn of(product: &str, profile: Option<Profile>, has: Resources) -> Self {
        match profile {
            Some(Profile::Virtual(asked)) => Self::of_virtual(asked, has),
            Some(Profile::Hardware) | None => Self::of_hardware(product),
        }
    }

    fn of_hardware(product: &str) -> Self {
        let product = product.trim();
        let ours = [Model::B200, Model::B300, Model::B400];
        let known = ours
            .into_iter()
            .find(|model| product.eq_ignore_ascii_case(model.code()));
        let unknown = || Shortfall::UnknownHardware {
            product: super::text::label(product).to_string(),
        };
        Self {
            model: known.unwrap_or(Model::B200),
            shortfall: known.is_none().then(unknown),
        }
    }

    fn of_virtual(asked: Model, has: Resources) -> Self {
        let suffices = |size: Model| {
            let needs = needs(size);
            let kept_aside = needs.memory_mib / KEPT_ASIDE;
            has.memory_mib + kept_aside >= needs.memory_mib && has.cores >= needs.cores
        };
        let sizes = [Model::VaL, Model::VaM, Model::VaS];
        let mut not_above = sizes.into_iter().skip_while(|size| *size != asked);
        let model = not_above.find(|size| suffices(*size));
        let short = || Shortfall::Resources {
            asked,
            needs: needs(asked),
            has,
        };
        Self {
            model: model.unwrap_or(Model::VaS),
            shortfall: (model != Some(asked)).then(short),
        }
    }
}

impl fmt::Display for Sizing {
    /// The line that the console shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.model.active_jump_clients_max();
        write!(f, "{}, up to {limit} active Jump Clients", self.model)?;
        match &self.shortfall {
            Some(why) => write!(f, " ({why})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn machine(memory_mib: u64, cores: u32) -> Resources {
        Resources { memory_mib, cores }
    }

    const LARGE: Resources = machine(65_536, 64);

    fn virtual_size(asked: Model, has: Resources) -> Sizing {
        Sizing::of("any", Some(Profile::Virtual(asked)), has)
    }

    #[test]
    fn our_hardware_is_known_by_its_product_name() {
        for (product, model) in [
            ("B200", Model::B200),
            (" b300\n", Model::B300),
            ("B400", Model::B400),
        ] {
            let sizing = Sizing::of(product, Some(Profile::Hardware), machine(1, 1));
            let shortfall = None;
            assert_eq!(sizing, Sizing { model, shortfall });
        }
    }

    #[test]
    fn unknown_hardware_runs_with_the_lowest_limits_and_says_so() {
        for product in [
            "",
            "B500",
            "Standard PC (Q35 + ICH9, 2009)",
            "va-l",
            "\u{1b}[2J",
        ] {
            for profile in [Some(Profile::Hardware), None] {
                let sizing = Sizing::of(product, profile, LARGE);
                assert_eq!(sizing.model.active_jump_clients_max(), 1_000);
                let text = sizing.to_string();
                assert!(text.contains("unknown hardware '"), "{text}");
                assert!(!text.contains('\u{1b}'), "{text}");
            }
        }
    }

    #[test]
    fn a_virtual_machine_has_the_size_it_was_made_for_if_it_has_what_that_takes() {
        // As the kernel counts 1, 2 and 4 GiB.
        for (asked, memory, cores) in [
            (Model::VaS, 967, 1),
            (Model::VaM, 1_963, 2),
            (Model::VaL, 3_919, 4),
        ] {
            let sizing = virtual_size(asked, machine(memory, cores));
            assert_eq!((sizing.model, sizing.shortfall), (asked, None));
        }
        assert_eq!(virtual_size(Model::VaS, LARGE).model, Model::VaS);
    }

    #[test]
    fn too_little_memory_or_too_few_cores_take_the_size_down_and_say_why() {
        for (has, model) in [
            (machine(3_919, 3), Model::VaM),
            (machine(3_500, 4), Model::VaM),
            (machine(65_536, 1), Model::VaS),
            (machine(400, 1), Model::VaS),
        ] {
            let sizing = virtual_size(Model::VaL, has);
            assert_eq!(sizing.model, model, "{has:?}");
            let text = sizing.shortfall.unwrap().to_string();
            let needs = "Virtual L needs 4096 MiB of memory and 4 cores, this machine has ";
            assert!(text.starts_with(needs), "{text}");
        }
        let smallest = virtual_size(Model::VaS, machine(400, 1));
        assert!(smallest.shortfall.is_some());
    }

    #[test]
    fn every_profile_is_read_as_it_is_written() {
        for model in Model::ALL {
            let profile = Profile::of(model);
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("b300".parse::<Profile>().is_err());
    }

    proptest! {
        #[test]
        fn more_never_makes_it_smaller(
            asked in proptest::sample::select(vec![Model::VaS, Model::VaM, Model::VaL]),
            memory in 0_u64..10_000, more in 0_u64..10_000, cores in 0_u32..10, further in 0_u32..10
        ) {
            let limit = |has| virtual_size(asked, has).model.active_jump_clients_max();
            prop_assert!(limit(machine(memory, cores)) <= limit(machine(memory + more, cores + further)));
            prop_assert!(limit(machine(memory, cores)) <= asked.active_jump_clients_max());
        }
    }
}
