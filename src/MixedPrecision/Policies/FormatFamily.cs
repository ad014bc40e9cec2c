namespace MixedPrecision.Policies;

/// <summary>Formats of one kind, which differ in parameters: what is known of them before any of them is made. The formats themselves follow in Formats, one file for each family.</summary>
/// <param name="Name">The name in policies and manifests, e.g. "int4-weight".</param>
/// <param name="Summary">What it is, for the documents.</param>
/// <param name="Parameters">In the order in which a format's text has them.</param>
public sealed record FormatFamily(string Name, string Summary, params IReadOnlyList<FormatParameter> Parameters)
{
    /// <summary>Every format of the family, in the order of its parameters' values.</summary>
    public IEnumerable<FormatId> All => Parameters
        .Aggregate<FormatParameter, IEnumerable<IReadOnlyList<string>>>([[]], (chosen, parameter) => chosen.SelectMany(values => parameter.Values.Select(value => (IReadOnlyList<string>)[.. values, value])))
        .Select(values => new FormatId(this, values));

    /// <summary>The format of the family with no parameter given.</summary>
    public FormatId Default => new(this, [.. Parameters.Select(p => p.Default)]);

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
public sealed record FormatParameter(string Name, string Summary, IReadOnlyList<string> Values, string Default, bool IsWord = false)
{
    /// <summary>A value as a format's text has it.</summary>
    public string Text(string value) => IsWord ? value : $"{Name}={value}";
}
