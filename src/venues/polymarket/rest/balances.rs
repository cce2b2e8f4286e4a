use alloy_primitives::{Address, U256};
use reqwest::Method;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::parse::Text;
use super::super::signing::is_position_id;
use super::{Ask, Rest, read};
use crate::domain::{CallClass, TokenId};
use crate::exec::venue::{Allowance, AssetBalance, Balances, VenueError};

const READ: &str = "/balance-allowance";
const REFRESH: &str = "/balance-allowance/update";
/// pUSD and shares have six decimals.
const DECIMALS: u32 = 6;

#[derive(Deserialize)]
struct Wire {
    balance: Text,
    #[serde(default)]
    allowances: Map<String, Value>,
}

impl Rest {
    /// pUSD and the shares of `tokens`.
    pub(in super::super) async fn balances(&self, tokens: &[TokenId]) -> Result<Balances, VenueError> {
        let collateral = self.asset_balance(None).await?;
        let mut shares = Vec::with_capacity(tokens.len());
        for token in tokens {
            shares.push((token.clone(), self.asset_balance(Some(token)).await?));
        }
        Ok(Balances { collateral, tokens: shares })
    }

    /// Makes the venue read them from the chain again.
    pub(in super::super) async fn refresh_balances(&self, tokens: &[TokenId]) -> Result<(), VenueError> {
        self.asset(REFRESH, None).await?;
        for token in tokens {
            self.asset(REFRESH, Some(token)).await?;
        }
        Ok(())
    }

    /// One asset: pUSD, or the shares of a token.
    pub(super) async fn asset_balance(&self, token: Option<&TokenId>) -> Result<AssetBalance, VenueError> {
        let wire: Wire = read("balance-allowance", &self.asset(READ, token).await?)?;
        let text = wire.balance.get().unwrap_or_default();
        let balance = millionths(text).ok().flatten().ok_or_else(|| not_millionths("balance", text))?;
        let allowance = |(spender, amount): (&String, &Value)| {
            let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            let amount = millionths(&text).map_err(|()| not_millionths("allowance", &text))?;
            // One spelling, so that addresses can be compared as texts.
            let spender =
                spender.parse().map_or_else(|_| spender.clone(), |address: Address| address.to_checksum(None));
            Ok(Allowance { spender, amount })
        };
        let allowances: Result<Vec<Allowance>, VenueError> = wire.allowances.iter().map(allowance).collect();
        Ok(AssetBalance { balance, allowances: allowances? })
    }

    async fn asset(&self, path: &str, token: Option<&TokenId>) -> Result<Vec<u8>, VenueError> {
        let signature_type = self.signatory.signature_type.code().to_string();
        let asset_type = match token.map(|token| U256::from_str_radix(token.as_str(), 10)) {
            None => "COLLATERAL",
            Some(Ok(id)) if is_position_id(&id) => "CONDITIONAL-V2",
            Some(_) => "CONDITIONAL",
        };
        let mut query = vec![("asset_type", asset_type), ("signature_type", signature_type.as_str())];
        query.extend(token.map(|token| ("token_id", token.as_str())));
        let ask = Ask { query: &query, ..Ask::of(CallClass::Balances, Method::GET, path) };
        self.call(ask).await?.success()
    }
}

/// A whole number of millionths as a decimal; nothing for a number that no balance can reach, such as the allowance of a
/// wallet that has approved everything. Anything else is an error.
fn millionths(text: &str) -> Result<Option<Decimal>, ()> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(());
    }
    let exact = text.parse().ok().and_then(|units| Decimal::try_from_i128_with_scale(units, DECIMALS).ok());
    Ok(exact)
}

fn not_millionths(what: &str, text: &str) -> VenueError {
    VenueError::Unreadable(format!("balance-allowance: {what} '{text}' is not a whole number of millionths"))
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn millionths_are_exact_or_beyond_reach_or_refused() {
        assert_eq!(millionths("0"), Ok(Some(dec!(0))));
        assert_eq!(millionths("1000500001"), Ok(Some(dec!(1000.500001))));
        assert_eq!(millionths(&"9".repeat(28)), Ok(Some(dec!(9999999999999999999999.999999))));
        assert_eq!(millionths(&U256::MAX.to_string()), Ok(None));
        for bad in ["", "12.5", "-1", "1e6", " 1", "0x10", "null"] {
            assert_eq!(millionths(bad), Err(()), "{bad}");
        }
    }
}
