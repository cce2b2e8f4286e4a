//! Everything that was looked at when a wish was made, or none was, for whoever asks why.

use std::time::Duration;

use super::{Mode, Offer, PLACES, Rung, Scene, Worth, worths};
use crate::domain::{Figure, Market, OutcomeToken, Text, text};
use crate::pipeline::athena::updown::figure;

impl<'a> Scene<'a> {
    /// What is known of the station, and what the market is worth that was decided on or came closest.
    pub(in super::super) fn figures(&self, of: Option<(&'a Market, Rung)>) -> Vec<Figure> {
        let mut figures = self.known();
        if let Some((market, rung)) = of {
            self.of_market(market, rung, &mut figures);
        }
        figures
    }

    fn known(&self) -> Vec<Figure> {
        let (outlook, params, now) = (&self.memory.outlook, self.params, self.now);
        let today = params.zone.day_of(now);
        let minutes =
            |age: Option<Duration>| age.map_or_else(|| "-".into(), |age| format!("{} min", age.as_secs() / 60));
        let high = outlook.high(today).map_or_else(|| "-".to_owned(), |high| high.to_string());
        let (threshold, measure) = params.threshold();
        let mut known = vec![
            figure("day", format!("{today} at {}", params.station)),
            figure("highest so far", format!("{high} in {} reports", outlook.reports(today))),
            figure("forecast age", minutes(outlook.forecast_age(now))),
            figure("observation age", minutes(outlook.observation_age(now))),
            figure("threshold", measure.show(threshold)),
        ];
        let unseen = outlook.unseen(today);
        if unseen > 0 {
            known.push(figure("not seen", format!("reports of {unseen} hours of the day")));
        }
        known
    }

    fn of_market(&self, market: &'a Market, rung: Rung, figures: &mut Vec<Figure>) {
        figures.push(figure("bucket", format!("{} on {}", rung.bucket, rung.day)));
        if let Ok(odds) = self.odds(rung.day) {
            let unit = self.params.unit;
            if let Some(expected) = odds.expected {
                let (degrees, error) = (expected.degrees.round_dp(1), expected.error.round_dp(2));
                let hours = expected.lead.as_secs() / 3_600;
                figures.push(figure("still to come", format!("{degrees} ± {error} {unit}, {hours} h ahead")));
            }
            figures.push(figure("probability", format!("{:.4}", odds.of(&rung.bucket))));
            match self.params.mode {
                Mode::Edge => worths(market, rung, odds).iter().flatten().for_each(|worth| self.worth(worth, figures)),
                Mode::Alert => figures.extend(
                    odds.likely().map(|likely| figure("heading for", format!("{} {unit}", likely.round_dp(1)))),
                ),
            }
        }
        for outcome in &market.tokens {
            figures.push(figure(named("book", outcome), self.desk.quote(&market.market, &outcome.token, self.now)));
        }
        if self.params.mode == Mode::Alert {
            let [yes, _] = market.yes_no();
            if let Ok((_, price)) = self.ask(market, yes) {
                let most = self.params.alert_price;
                figures.push(figure(named("price", yes), text!("{price} (at most {most})")));
            }
        }
        figures.push(figure("fee rate", market.fee.rate.to_string()));
    }

    /// What an outcome is worth, and what is left of that at the price that it can be sold or bought for.
    fn worth(&self, worth: &Worth<'a>, figures: &mut Vec<Figure>) {
        let (fair, least) = (worth.fair, self.params.min_edge);
        figures.push(figure(named("fair", worth.outcome), text!("{fair}")));
        for Offer { price, edge, side, .. } in [self.bid(worth), self.asked(worth)].into_iter().flatten() {
            let edge = edge.round_dp(PLACES);
            let told = text!("{edge} to {side} at {price} after fee (at least {least})");
            figures.push(figure(named("edge", worth.outcome), told));
        }
    }
}

fn named(what: &'static str, outcome: &OutcomeToken) -> Text {
    let outcome = outcome.outcome.clone();
    text!("{what} {outcome}")
}
