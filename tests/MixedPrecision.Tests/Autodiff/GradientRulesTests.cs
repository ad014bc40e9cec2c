using CsCheck;
using MixedPrecision.Autodiff;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Tests.Autodiff.Cases;

namespace MixedPrecision.Tests.Autodiff;

public class GradientRulesTests
{
    private const int Samples = 18;

    public static TheoryData<string> Rows => [.. CaseTable.Cases.Keys];

    [Fact]
    public void EveryRuleHasACase()
    {
        string[] without = [.. GradientRules.Table.Where(row => row.Value.Rule is not null).Select(row => row.Key).Where(o => !CaseTable.Cases.Values.Any(c => c.Covers == o))];
        Assert.Empty(without);
    }

    [Fact]
    public void EveryExpansionHasACase()
    {
        // Sequences take several nodes: they are checked as a model.
        string[] models = ["SequenceAt", "ConcatFromSequence"];
        string[] without = [.. Expansions.Table.Keys.Except(models).Where(o => !CaseTable.Cases.Values.Any(c => c.Covers == o))];
        Assert.Empty(without);
    }

    [Fact]
    public void EveryUpgradeHasACase()
    {
        string[] without = [.. Upgrades.Table.Keys.Where(o => !CaseTable.Cases.ContainsKey(OldFormCases.Prefix + o))];
        Assert.Empty(without);
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void GradientAgreesWithDifferences(string row)
    {
        CaseRow cases = CaseTable.Cases[row];
        for (int sample = 0; sample < Samples; sample++)
        {
            // Every combination of precision and of what is known about sizes comes up.
            GradientCase test = cases.Generator.Generate(new PCG((uint)sample, 20261124), null, out _);
            int elementType = cases.FloatOnly || sample % 3 == 2 ? ElementType.Float : ElementType.Double;
            try
            {
                GradientCheck.Run(test, elementType, (KnownSizes)(sample / 3 % 3), sample);
            }
            catch (Exception e) when (e is not Xunit.Sdk.IAssertionException)
            {
                Assert.Fail($"{test}, {ElementType.Name(elementType)}, {(KnownSizes)(sample / 3 % 3)}: {e.Message}");
            }
        }
    }
}
