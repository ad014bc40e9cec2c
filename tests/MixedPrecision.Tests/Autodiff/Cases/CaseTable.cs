using CsCheck;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>A row of cases.</summary>
/// <param name="Covers">The row of the table of gradients that it checks, or of the table of expansions.</param>
/// <param name="Generator">Draws operands, shapes and attributes.</param>
/// <param name="FloatOnly">Whether the operator, or one its gradient needs, has no kernel for double.</param>
internal sealed record CaseRow(string Covers, Gen<GradientCase> Generator, bool FloatOnly = false);

/// <summary>All cases by the name of the test row.</summary>
internal static class CaseTable
{
    public static readonly IReadOnlyDictionary<string, CaseRow> Cases = new IEnumerable<(string Name, CaseRow Row)>[]
    {
        ArithmeticCases.Rows,
        ElementwiseCases.Rows,
        ActivationCases.Rows,
        MatrixCases.Rows,
        WindowCases.Rows,
        ReductionCases.Rows,
        ShapingCases.Rows,
        IndexingCases.Rows,
        NormalizationCases.Rows,
        MicrosoftCases.Rows,
        AttentionCases.Rows,
        GroupQueryCases.Rows,
        ResizeCases.Rows,
        QuantizedCases.Rows,
        SamplingCases.Rows,
        OldFormCases.Rows,
        ControlFlowCases.Rows,
    }.SelectMany(rows => rows).ToDictionary(row => row.Name, row => row.Row);

    public static AttributeProto Floats(string name, params float[] values)
    {
        var attribute = new AttributeProto { Name = name, Type = 6 };
        attribute.Floats.AddRange(values);
        return attribute;
    }

    public static (string Name, CaseRow Row) Row(string name, Gen<GradientCase> generator, string? covers = null, bool floatOnly = false) =>
        (name, new CaseRow(covers ?? name, generator, floatOnly));
}
