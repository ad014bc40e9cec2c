namespace MixedPrecision.Policies;

/// <summary>Formats of one kind, which differ in parameters: what is known of them before any of them is made. The formats themselves follow in Formats, one file for each family.</summary>
/// <param name="Name">The name in policies and manifests, e.g. "int4-weight".</param>
/// <param name="Summary">What it is, for the documents.</param>
/// <param name="Parameters">In the order in which a format's text has them.</param>
public sealed record FormatFamily(string Name, string Summary, params IReadOnlyList<FormatParameter> Parameters)
{
    /// <summary>Nominal bits of what is rounded most coarsely, and those of them that tell values of one magnitude apart: of floats the mantissa, with the one that is not stored.</summary>
    public required (int Bits, int Significant) Precision { get; init; }

    /// <summary>The precision for people.</summary>
    public string PrecisionText => Precision.Bits == Precision.Significant ? $"{Precision.Bits}" : $"{Precision.Bits}, {Precision.Significant} significant";

    /// <summary>Whether formats of this family are no less precise than those of another: more bits, or of as many no fewer that are significant.</summary>
    public bool IsAtLeast(FormatFamily other) => Precision.CompareTo(other.Precision) >= 0;

    /// <summary>Every format of the family, in the order of its parameters' values.</summary>
    public IEnumerable<FormatId> All => Named.Where(format => !format.IsOpen);

    /// <summary>What a policy may name: the formats, and before them those that are open in what the processor decides.</summary>
    public IEnumerable<FormatId> Named => Parameters
        .Aggregate<FormatParameter, IEnumerable<IReadOnlyList<string?>>>([[]], (chosen, parameter) => chosen.SelectMany(values => parameter.Said.Select(value => (IReadOnlyList<string?>)[.. values, value])))
        .Select(values => new FormatId(this, values)).DistinctBy(format => format.Text);

    /// <summary>The format of the family with no parameter given; it may be open.</summary>
    public FormatId Default => new(this, [.. Parameters.Select(p => p.Left)]);

    /// <summary>A regular expression for what a policy may write; parameters that are given twice are not seen by it.</summary>
    public string Pattern
    {
        get
        {
            string one = $"({string.Join('|', Parameters.Select(p => p.IsWord ? string.Join('|', p.Values) : $"{p.Name}=({string.Join('|', p.Values)})"))})";
            return Parameters.Count == 0 ? Name : $@"{Name}(\( *{one} *(, *{one} *)*\))?";
        }
    }
}

/// <summary>A parameter of a family.</summary>
/// <param name="Name">Its name in lower case, e.g. "block".</param>
/// <param name="Summary">What it decides, for documents and schema.</param>
/// <param name="Values">All that it may be, in order.</param>
/// <param name="Default">What it is where a policy does not say.</param>
/// <param name="IsWord">Whether a value says by itself what it is about, and so stands in a format's text alone: "symmetric". Others have their name: "block=128".</param>
/// <param name="WhereExact">
/// What it is where a policy does not say, on processors that add products of 8 bits exactly; null where that is the default too. A policy that does not say leaves the format open
/// until its processor is known.
/// </param>
public sealed record FormatParameter(string Name, string Summary, IReadOnlyList<string> Values, string Default, bool IsWord = false, string? WhereExact = null)
{
    /// <summary>A value of another parameter with which this one means nothing: then it has its default, and does not stand in the text.</summary>
    public (string Parameter, string Value)? Unless { get; init; }

    /// <summary>The default, for people.</summary>
    public string DefaultText => WhereExact is null ? Default : $"{WhereExact} on processors with VNNI or AMX, else {Default}";

    /// <summary>What it is where nothing is said: null where the processor decides.</summary>
    internal string? Left => WhereExact is null ? Default : null;

    /// <summary>The values, and before them null where it may be left to the processor.</summary>
    internal IEnumerable<string?> Said => WhereExact is null ? Values : Values.Prepend<string?>(null);

    /// <summary>A value as a format's text has it.</summary>
    public string Text(string value) => IsWord ? value : $"{Name}={value}";
}
