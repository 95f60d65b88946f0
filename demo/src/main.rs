//! One instance of the sample shop, standing alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;

use clap::Parser;
use deepwater_shop::{Options, serve};
use tokio::net::TcpListener;

/// The sample shop: an ordinary web application to put things in front of.
#[derive(Parser)]
#[command(name = "shop")]
struct Arguments {
    /// Port to listen on, on 127.0.0.1 (0: any free one)
    #[arg(long, default_value_t = 3000)]
    port: u16,

    /// Name of this instance, sent as X-Shop-Instance
    #[arg(long, default_value = "shop-1")]
    instance: String,

    /// Secret that signs sign-in tokens; a random one without it
    #[arg(long, env = "SHOP_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,

    /// Token that the operator controls under /_demo/ ask for
    #[arg(long, env = "SHOP_DEMO_TOKEN", hide_env_values = true)]
    demo_token: Option<String>,

    /// PostgreSQL database that holds prices, carts and orders; the memory of this instance without it
    #[arg(long, value_name = "URL", env = "SHOP_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let listen = SocketAddr::from(([127, 0, 0, 1], arguments.port));
    let jwt_secret = match arguments.jwt_secret {
        Some(secret) => secret,
        None => random_secret()?,
    };
    let listener = TcpListener::bind(listen).await?;
    writeln!(std::io::stderr(), "{} listens on http://{}", arguments.instance, listener.local_addr()?)?;
    let options = Options {
        listen,
        instance: arguments.instance,
        jwt_secret,
        demo_token: arguments.demo_token,
        prices: BTreeMap::new(),
        database: arguments.database,
    };
    serve(listener, options, async {
        // Without a handler the default applies, and the process ends at once: no reason not to serve.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await
}

fn random_secret() -> std::io::Result<String> {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness from the system"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
