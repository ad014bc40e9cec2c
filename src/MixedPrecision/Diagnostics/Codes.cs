namespace MixedPrecision.Diagnostics;

/// <summary>The identity of a diagnostic: its code and its title. Cause and remedy stand in build/docs/errors.md.</summary>
public sealed record ErrorCode(string Id, string Title);

/// <summary>
/// Every code a user can meet, once. Numbers within a range have no gap; a retired code stays here, marked.
/// 1xxx policy, 2xxx model, 3xxx data, 4xxx calibration, 5xxx benchmark, 6xxx solver, 7xxx quantization and
/// verification, 8xxx cache and files, 9xxx build and command line.
/// The factory methods stand in <see cref="Errors"/>, one file per range.
/// </summary>
public static class Codes
{
}
