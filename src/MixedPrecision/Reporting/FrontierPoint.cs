namespace MixedPrecision.Reporting;

/// <summary>One of the optimal plans from nothing to everything, in order of τ.</summary>
/// <param name="Tau">Its predicted relative loss error, as a fraction: the least τ that buys it.</param>
/// <param name="LossMse">Its predicted loss MSE.</param>
/// <param name="Gain">What it is predicted to gain, in the unit of the plan's gain, counted as the program counts it.</param>
/// <param name="Bytes">Size of its file, as predicted.</param>
/// <param name="Changed">Layers that leave the baseline.</param>
public sealed record FrontierPoint(double Tau, double LossMse, double Gain, long Bytes, int Changed);
