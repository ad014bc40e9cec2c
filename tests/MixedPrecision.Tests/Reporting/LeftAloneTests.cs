using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

public class LeftAloneTests
{
    [Fact]
    public void EachReasonStandsOnceForEachKind() => Assert.Equal(
        [
            "5 convolutions ('c{0–4}'): too slow",
            "2 matrix products ('m', 'g'): too slow",
            "1 convolution ('c9'): too small",
            "2 LSTM nodes ('a', 'b'): step by step",
        ],
        LeftAlone.Lines(
        [
            .. Enumerable.Range(0, 4).Select(i => new ExcludedNode($"c{i}", "Conv", "too slow")),
            new("m", "MatMul", "too slow"), new("g", "Gemm", "too slow"), new("c9", "Conv", "too small"), new("c4", "Conv", "too slow"), new("a", "LSTM", "step by step"), new("b", "LSTM", "step by step"),
        ]));

    /// <summary>A reason that keeps all formats from a layer stands alone; otherwise after the formats it is about.</summary>
    [Fact]
    public void ReasonsOfALayerNameTheirFormats()
    {
        var reasons = new Dictionary<string, string> { ["a"] = "no kernel", ["b"] = "no kernel", ["c"] = "slower" };
        Assert.Equal(["not a, b: no kernel", "not c: slower"], LeftAlone.Of("x", "Conv", reasons, []).Select(n => n.Reason));
        Assert.Equal(["no kernel"], LeftAlone.Of("x", "Conv", reasons.Take(2).ToDictionary(), []).Select(n => n.Reason));
        Assert.Equal(["not a, b: no kernel"], LeftAlone.Of("x", "Conv", reasons.Take(2).ToDictionary(), ["c"]).Select(n => n.Reason));
        Assert.Empty(LeftAlone.Of("x", "Conv", new Dictionary<string, string>(), ["a"]));

        // A family stands without parameters where the reason keeps all of it.
        var family = new Dictionary<string, string> { ["w(block=1)"] = "no kernel", ["w(block=2)"] = "no kernel", ["d"] = "slower" };
        Assert.Equal(["not w: no kernel", "not d: slower"], LeftAlone.Of("x", "Conv", family, ["s"]).Select(n => n.Reason));
        Assert.Equal(["not w(block=1), w(block=2): no kernel", "not d: slower"], LeftAlone.Of("x", "Conv", family, ["w(block=3)"]).Select(n => n.Reason));
    }

    [Fact]
    public void UntrustedNamesAreEscaped() =>
        Assert.DoesNotContain(LeftAlone.Lines([new("a\u001b[31m", "My\nOp", "why")]), l => l.Any(char.IsControl));
}
