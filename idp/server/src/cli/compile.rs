//! `tongban compile-plugin`: the limited process in which a component is compiled. The product
//! starts it itself.

use clap::Args;

use super::Failure;

/// Compiles a component from standard input, within limits. Started by the product itself.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// How addresses are laid out: `wide` or `narrow`.
    layout: String,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with the component's fault.
pub fn run(args: &CompileArgs) -> Result<(), Failure> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    plugins_host::compile::child(&args.layout, &mut input, &mut output).map_err(Failure::No)
}
