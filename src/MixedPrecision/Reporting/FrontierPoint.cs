namespace MixedPrecision.Reporting;

/// <summary>A plan that no other beats: none gains more for as little loss.</summary>
/// <param name="Tau">Relative loss error that is predicted of it: the least budget that buys it.</param>
/// <param name="LossMse">The same as a loss MSE.</param>
/// <param name="Gain">What it is predicted to gain, at the lower ends of what was measured, in the unit of the objective.</param>
/// <param name="Bytes">Size of its file, as computed.</param>
/// <param name="Changed">Layers that leave the baseline.</param>
/// <param name="Verified">Relative loss error that was measured of its file on samples which calibration did not see; null where it was not emitted.</param>
public sealed record FrontierPoint(double Tau, double LossMse, double Gain, long Bytes, int Changed, double? Verified = null);
