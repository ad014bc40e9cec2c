namespace MixedPrecision.Policies;

/// <summary>
/// The families of formats that a policy may ask for, and the presets that stand for several formats: the one place where names, parameters and their values are written. The
/// formats themselves, the readers of the policy and their messages take them from here; tests hold the schema and the documents to them.
/// </summary>
public static class FormatFamilies
{
    /// <summary>The format of the original, always allowed.</summary>
    public const string Baseline = "fp32";

    public const string Int8Dynamic = "int8-dynamic";

    public const string Int8Static = "int8-static";

    public const string Int8Weight = "int8-weight";

    public const string Int4Weight = "int4-weight";

    public const string Int2Weight = "int2-weight";

    public const string Fp16 = "fp16";

    public const string BFloat16 = "bf16";

    public const string Fp8E4M3 = "fp8-e4m3";

    public const string Fp8E5M2 = "fp8-e5m2";

    /// <summary>Operands of <see cref="Int8Dynamic"/>: a weight with scales that are right on every processor.</summary>
    public const string Paired = "paired";

    /// <summary>Operands of <see cref="Int8Dynamic"/>: a weight with scales that use all 8 bits.</summary>
    public const string Full = "full";

    /// <summary>Weights of <see cref="Int8Static"/>: 7 bits, with which no processor's sums of two products leave 16 bits.</summary>
    public const string Narrow = "narrow";

    /// <summary>Operands of <see cref="Int8Dynamic"/>: two activations.</summary>
    public const string Products = "products";

    /// <summary>The value of a grid whose blocks have zero points.</summary>
    public const string ZeroPoints = "zero-points";

    /// <summary>The parameter that says how the values of a weight are found.</summary>
    public const string PreparationName = "preparation";

    public const string Rounded = "rounded";

    public const string Gptq = "gptq";

    /// <summary>The preset used when a policy names no formats.</summary>
    public const string DefaultPreset = "cpu";

    /// <summary>Every family, the baseline first.</summary>
    public static readonly IReadOnlyList<FormatFamily> All =
    [
        new(Baseline, "the layer as the model has it") { Precision = (32, 24) },
        new(
            Int8Dynamic,
            "both operands in 8 bits; activations in the range that they have in each run, the state of an LSTM in that of each step",
            new FormatParameter(
                "operands",
                "`paired`: weight matrices, with scales for each output column with which no processor's sums of two products leave 16 bits; `full`: weight matrices, with scales for each output column that use all 8 bits; `products`: products of two activations",
                [Paired, Full, Products],
                Paired,
                IsWord: true,
                WhereExact: Full),
            Preparation with
            {
                Summary = "`gptq`: weights are rounded so that outputs change little on calibration data, errors of some values making up for those of others, and where the layer before can take it at no cost, "
                    + "channels of the input are brought to similar ranges (SmoothQuant); `rounded`: each to the nearest value",
                Unless = ("operands", Products),
            })
        { Precision = (8, 8) },
        new(
            Int8Static,
            "convolutions with both operands and the result in 8 bits, matrices with both operands, activations in ranges that calibration data show",
            new FormatParameter(
                "weights",
                "`narrow`: 7 bits, with which no processor's sums of two products leave 16 bits; `full`: all 8 bits",
                [Narrow, Full],
                Narrow,
                IsWord: true,
                WhereExact: Full),
            Preparation)
        { Precision = (8, 8) },
        new(Int8Weight, "weights of 8 bits, with a scale for each block of inputs; activations rounded to 8 bits by the kernel", Block, Grid, Preparation) { Precision = (8, 8) },
        new(
            Int4Weight,
            "weights of 4 bits, with a scale for each block of inputs",
            Block,
            Grid,
            new FormatParameter("accuracy", "`4`: the kernel rounds activations to 8 bits, in blocks of each row; `0`: it computes in float", ["0", "4"], "4"),
            Preparation)
        { Precision = (4, 4) },
        new(Int2Weight, "weights of 2 bits, with a scale for each block of inputs; activations rounded to 8 bits by the kernel", Block, Grid, Preparation) { Precision = (2, 2) },
        new(Fp16, "both operands in half precision, 10 bits of mantissa; multiplied as floats") { Precision = (16, 11) },
        new(BFloat16, "both operands in bfloat16, 7 bits of mantissa and the range of a float; multiplied as floats") { Precision = (16, 8) },
        new(Fp8E4M3, "both operands in 8-bit floats with 3 bits of mantissa, scaled to their range; multiplied as floats") { Precision = (8, 4) },
        new(Fp8E5M2, "both operands in 8-bit floats with 2 bits of mantissa and the range of half precision; multiplied as floats") { Precision = (8, 3) },
    ];

    /// <summary>Formats of each preset by their canonical texts, the baseline first; open ones among them.</summary>
    public static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> Presets = new SortedDictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal)
    {
        // Few, since each costs calibration about a forward pass of each sample. Of 8 bits, blocks of 64: nearly as fast as those of 128, and widths such as 192 and 704 divide by them.
        // Of 4 bits the finest that are fast, and the fastest where one row at a time is computed, as decoders do.
        [DefaultPreset] = InOrder([Baseline, Int8Dynamic, $"{Int8Dynamic}({Products})", Int8Static, $"{Int8Weight}(block=64)", $"{Int4Weight}(block=32)", $"{Int4Weight}(block=128)"]),
        ["paper"] = InOrder([Baseline, BFloat16, Fp8E4M3]),
    };

    /// <summary>The family of a name that is one.</summary>
    public static FormatFamily Of(string name) => All.First(family => family.Name == name);

    private static FormatParameter Block => new("block", "inputs that share a scale within an output column", ["16", "32", "64", "128", "256"], "32");

    private static FormatParameter Grid => new(
        "grid", $"`symmetric`: the middle of the integers stands for 0; `{ZeroPoints}`: each block has an integer of its own that does", ["symmetric", ZeroPoints], "symmetric", IsWord: true);

    private static FormatParameter Preparation => new(
        PreparationName,
        "`gptq`: weights are rounded so that outputs change little on calibration data, errors of some values making up for those of others; `rounded`: each to the nearest value",
        [Rounded, Gptq],
        Gptq,
        IsWord: true);

    /// <summary>Canonical texts of formats, each once, in the order of families and of their parameters' values: the order in which a policy's formats stand everywhere.</summary>
    /// <param name="texts">Texts of formats.</param>
    public static IReadOnlyList<string> InOrder(IEnumerable<string> texts)
    {
        HashSet<string> asked = [.. texts.Select(text => FormatId.Parse(text).Text)];
        return [.. All.SelectMany(family => family.Named).Select(format => format.Text).Where(asked.Contains)];
    }
}
