//! What is set about Jump Clients.

use super::{Control, Refusal};
use crate::audit::{self, Actor};
use crate::control::Reply;
use crate::domain::limits::DEPLOYMENT_LIFE_MAX;
use crate::domain::{AdmissionRate, Token};
use crate::relay::clock::stamp;
use crate::relay::hub::Deployment;
use crate::relay::hub::event::Order;
use crate::relay::hub_thread::random;
use crate::store::StoreError;
use crate::store::jump_clients::{self, DeploymentRow};
use crate::store::settings;

impl Control {
    /// A token by which so many machines become Jump Clients.
    pub(super) fn deploy(&self, machines: u32, seconds: u64) -> Result<Reply, Refusal> {
        self.must_not_be_on_trial()?;
        let limit = self.config.model.active_jump_clients_max();
        if !(1..=limit).contains(&machines) {
            let why = format!("a deployment for {machines} machines, 1 to {limit} can be chosen");
            return Err(Refusal(why));
        }
        let life = std::time::Duration::from_secs(seconds);
        if life.is_zero() || life > DEPLOYMENT_LIFE_MAX {
            let days = DEPLOYMENT_LIFE_MAX.as_secs() / 86_400;
            return Err(Refusal(format!("a deployment lasts up to {days} days")));
        }
        let mut bytes = [0; 16];
        random(&mut bytes);
        let token = Token::from_random(bytes);
        let at = stamp();
        let row = DeploymentRow {
            token: token.fingerprint(),
            machines,
            created: at,
            expires: at.after(life),
        };
        self.store()?.write(|tx| {
            jump_clients::deploy(tx, &row)?;
            let event = audit::Event::DeploymentCreated {
                deployment: row.token,
                machines,
                expires: row.expires,
            };
            audit::append(tx, at, &Actor::CommandLine, &event)?;
            Ok::<_, StoreError>(())
        })?;
        let deployment = Deployment {
            token: row.token,
            left: machines,
            expires: row.expires,
        };
        match self.ask(Order::Deploy(deployment)) {
            Reply::Done => Ok(Reply::Deployment {
                token,
                expires: row.expires,
            }),
            other => Ok(other),
        }
    }

    /// How many are let in each second.
    pub(super) fn set_admission_rate(&self, rate: AdmissionRate) -> Result<Reply, Refusal> {
        self.must_not_be_on_trial()?;
        self.store()?.write(|tx| {
            settings::put_admission_rate(tx, rate)?;
            let event = audit::Event::AdmissionRateSet { rate };
            audit::append(tx, stamp(), &Actor::CommandLine, &event)?;
            Ok::<_, StoreError>(())
        })?;
        Ok(self.ask(Order::SetAdmissionRate(rate)))
    }
}
