using MixedPrecision.Diagnostics;

namespace MixedPrecision.Policies;

/// <summary>What a policy may say, and hardly means.</summary>
public static class PolicyWarnings
{
    private const double LargeBudget = 0.2;

    /// <param name="policy">The policy.</param>
    /// <param name="processors">Processors that ONNX Runtime may use.</param>
    public static IReadOnlyList<Diagnostic> Of(Policy policy, int processors) =>
    [
        .. policy.Budget.Limits.All(limit => limit.Distance <= LargeBudget + 1e-12) ? [] : new[] { Errors.BudgetLarge(policy.PlaceOf("budget"), policy.Budget.ToString()) },
        .. policy.Runtime.Threads <= processors ? [] : new[] { Errors.MoreThreadsThanProcessors(policy.PlaceOf("runtime.threads"), policy.Runtime.Threads, processors) },
    ];
}
