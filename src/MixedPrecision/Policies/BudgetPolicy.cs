using System.Globalization;

namespace MixedPrecision.Policies;

/// <summary>How much worse, and how large, the emitted model may be: limits that all have to hold on its file.</summary>
/// <param name="Limits">What is measured of the loss and of answers: at least one, each kind once, in the order of <see cref="BudgetKind"/>.</param>
/// <param name="Size">The greatest size of its files, or null: any.</param>
public sealed record BudgetPolicy(IReadOnlyList<LossLimit> Limits, SizeLimit? Size = null)
{
    /// <summary>A budget of one limit.</summary>
    public BudgetPolicy(BudgetKind kind, double value)
        : this([new LossLimit(kind, value)])
    {
    }

    /// <summary>The value of a kind of limit, or null where that is not stated.</summary>
    public double? Of(BudgetKind kind) => Limits.FirstOrDefault(limit => limit.Kind == kind)?.Value;

    /// <summary>The budget in the policy's words, such as <c>lossIncrease: 1%, size: 40 MB</c>.</summary>
    public override string ToString() => string.Join(", ", Texts);

    /// <summary>Each limit in the policy's words.</summary>
    public IEnumerable<string> Texts => [.. Limits.Select(limit => limit.ToString()), .. Size is null ? [] : new[] { Size.ToString() }];

    /// <summary>This and one more limit, in place of one of its kind.</summary>
    internal BudgetPolicy With(LossLimit limit) => this with { Limits = [.. Limits.Where(other => other.Kind != limit.Kind).Append(limit).OrderBy(other => other.Kind)] };

    /// <summary>With the default for the loss where only the size is stated.</summary>
    internal BudgetPolicy Complete() => Limits.Count > 0 ? this : With(Default);

    /// <summary>What a policy that says nothing of the loss means.</summary>
    internal static LossLimit Default { get; } = new(BudgetKind.LossError, 0.01);
}

/// <summary>A limit of what is measured on samples that calibration did not see.</summary>
/// <param name="Kind">What is measured.</param>
/// <param name="Value">Its greatest value, of <see cref="BudgetKind.Agreement"/> its least; as a fraction (1 % is 0.01).</param>
public sealed record LossLimit(BudgetKind Kind, double Value)
{
    /// <summary>Keys of all kinds in a policy, in their order.</summary>
    internal static readonly IReadOnlyList<string> Keys = ["lossError", "lossIncrease", "accuracyDrop", "agreement"];

    /// <summary>The kind's key in a policy.</summary>
    public string Key => Keys[(int)Kind];

    /// <summary>How far from the original the limit allows: 0 for a model that changes nothing.</summary>
    public double Distance => Kind == BudgetKind.Agreement ? 1 - Value : Value;

    /// <summary>The limit in the policy's words, such as <c>lossIncrease: 1%</c>.</summary>
    public override string ToString() => FormattableString.Invariant($"{Key}: {Value * 100:0.######}%");
}

/// <summary>What a limit is about.</summary>
public enum BudgetKind
{
    /// <summary>τ: root-mean-square error of the loss over the loss's root mean square.</summary>
    LossError,

    /// <summary>Increase of the mean loss over the original's, relative to it.</summary>
    LossIncrease,

    /// <summary>Share of labels that are hit no more, less those that are hit newly.</summary>
    AccuracyDrop,

    /// <summary>Share of answers that are the original's.</summary>
    Agreement,
}

/// <summary>The greatest size of the emitted model with its external data.</summary>
/// <param name="Value">Bytes, or a share of the original's.</param>
/// <param name="Unit">The unit as the policy says it: one of <see cref="Units"/>.</param>
public sealed record SizeLimit(double Value, string Unit)
{
    internal const string Key = "size";

    /// <summary>Units and what one is: bytes, or for a share a hundredth of the original.</summary>
    internal static readonly IReadOnlyDictionary<string, double> Units = new Dictionary<string, double>
    {
        ["%"] = 0.01,
        ["B"] = 1,
        ["kB"] = 1e3,
        ["MB"] = 1e6,
        ["GB"] = 1e9,
        ["KiB"] = 1L << 10,
        ["MiB"] = 1L << 20,
        ["GiB"] = 1L << 30,
    };

    /// <summary>The greatest number of bytes.</summary>
    /// <param name="original">Bytes of the original.</param>
    public long Bytes(long original) => (long)Math.Floor(Math.Min(long.MaxValue / 4, (Value * Units[Unit] * (Unit == "%" ? original : 1)) + 1e-6));

    /// <summary>The limit in the policy's words, such as <c>size: 40 MB</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Key}: {Value:0.######}{(Unit == "%" ? "" : " ")}{Unit}");
}
