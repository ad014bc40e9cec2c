using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Data;

/// <summary>Tables: fields, columns and cells.</summary>
public sealed class CsvTests : IDisposable
{
    private static readonly InputDeclaration Ids = new("ids", new TensorType(ElementType.Int64, [new Dimension(null, "batch"), new Dimension(null, "sequence")]));
    private static readonly InputDeclaration Scale = new("scale", new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(1)]));
    private static readonly InputDeclaration Features = new("features", new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(3)]));

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void FieldsInQuotesHoldCommasQuotesAndLineBreaks()
    {
        CsvRow[] rows = [.. Rows("a,b\r\n\"x, \"\"y\"\"\",1\r\n\r\n\"two\nlines\",2\n,\n\"\",3")];
        Assert.Equal([1, 2, 4, 6, 7], rows.Select(r => r.Line));
        Assert.Equal(["x, \"y\"", "1"], rows[1].Fields);
        Assert.Equal(["two\nlines", "2"], rows[2].Fields);
        Assert.Equal(["", ""], rows[3].Fields);
        Assert.Equal(["", "3"], rows[4].Fields);
    }

    [Theory]
    [InlineData("\uFEFFa;b;c\n1,5;2;3")]
    [InlineData("a\tb\tc\n1,5\t2\t3")]
    [InlineData("a,\"b;;;;\",c\n\"1,5\",2,3")]
    public void WhatStandsBetweenFieldsIsSeenInTheHeader(string text)
    {
        CsvRow[] rows = [.. Rows(text)];
        Assert.Equal("a", rows[0].Fields[0]);
        Assert.Equal(["1,5", "2", "3"], rows[1].Fields);
    }

    [Theory]
    [InlineData("a,b\n1,2\n\"x,2\n", 3, "does not end")]
    [InlineData("a,b\n\"x\"y,2\n", 2, "behind a field in quotes")]
    public void QuotesThatDoNotMatchAreNamedWithTheirLine(string text, int line, string found)
    {
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Rows(text).ToList()).Diagnostic;
        Assert.Equal((Codes.DataNotTable, line), (error.Code, error.Place.Line!.Value));
        Assert.Contains(found, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ColumnsOfTheInputsNamesGiveThemAndTheBatchIsAdded()
    {
        Sample[] samples = Read("note,scale,ids,label\nx,0.5,\"[1, 2, 3]\",4\n,1e-2,\"[[7]]\",5\n", ["label"], Ids, Scale);
        Assert.Equal(["t.csv:2", "t.csv:3"], samples.Select(s => s.Id));
        Assert.Equal([1L, 3], samples[0].Inputs["ids"].Shape);
        Assert.Equal([1L, 2, 3], samples[0].Inputs["ids"].Values<long>());
        Assert.Equal([1L, 1], samples[1].Inputs["ids"].Shape);
        Assert.Equal([0.01f], samples[1].Inputs["scale"].Values<float>());
        Assert.Equal([1L, 1], samples[1].Inputs["scale"].Shape);
        Assert.Equal([5L], samples[1].Fields["label"].Values<long>());
        Assert.Equal([1L], samples[1].Fields["label"].Shape);
    }

    [Fact]
    public void ColumnsOfFeaturesAreTheOneInputInTheirOrder()
    {
        Sample sample = Assert.Single(Read("width,kind,height,depth\n1,b,2,3\n", ["kind"], new Dictionary<string, IReadOnlyList<string>> { ["kind"] = ["a", "b"] }, Features));
        Assert.Equal([1f, 2, 3], sample.Inputs["features"].Values<float>());
        Assert.Equal([1L, 3], sample.Inputs["features"].Shape);
        Assert.Equal([1L], sample.Fields["kind"].Values<long>());
    }

    [Fact]
    public void NamesOfClassesAreFoundAndNumbersAreNone()
    {
        string file = Write("n,kind,list\n3,cat,[1]\n-1,dog,[2]\n2.0,cat,[1]\n");
        Assert.Equal(["cat", "dog"], CsvSamples.ClassesOf(file, "t.csv", "kind").Order());
        Assert.Empty(CsvSamples.ClassesOf(file, "t.csv", "n"));
        Assert.Empty(CsvSamples.ClassesOf(file, "t.csv", "list"));
        Assert.Empty(CsvSamples.ClassesOf(file, "t.csv", "absent"));
    }

    [Theory]
    [InlineData("ids,scale\n[1],\n", 2, "MPB3007", "an empty cell")]
    [InlineData("ids,scale\n[1],\"0,5\"\n", 2, "MPB3007", "'0,5'")]
    [InlineData("ids,scale\n[1],2\n[1.5],2\n", 3, "MPB3007", "1.5")]
    [InlineData("ids,scale\n\"[1, 2\",2\n", 2, "MPB3007", "nested arrays")]
    [InlineData("ids,scale\n\"[[1], [2, 3]]\",2\n", 2, "MPB3008", "array of 2")]
    [InlineData("ids,scale\n\"[[[1]]]\",2\n", 2, "MPB3009", "[1, 1, 1]")]
    [InlineData("ids,scale\n[1]\n", 2, "MPB3020", "1 field in a table of 2 columns")]
    [InlineData("ids,ids\n[1],[2]\n", 1, "MPB3020", "two columns 'ids'")]
    [InlineData("ids,skale\n[1],2\n", 1, "MPB3006", "'skale'")]
    public void WhatDoesNotFitIsNamedWithItsLine(string text, int line, string code, string found)
    {
        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => Read(text, [], Ids, Scale)).Diagnostic;
        Assert.Equal((code, "t.csv", line), (error.Code.Id, error.Place.File, error.Place.Line!.Value));
        Assert.Contains(found, error.Message, StringComparison.Ordinal);
        Assert.Null(error.Place.Column);
    }

    private IEnumerable<CsvRow> Rows(string text) => CsvRows.Read(Write(text), "t.csv");

    private Sample[] Read(string text, string[] labels, params InputDeclaration[] inputs) => Read(text, labels, new Dictionary<string, IReadOnlyList<string>>(), inputs);

    private Sample[] Read(string text, string[] labels, Dictionary<string, IReadOnlyList<string>> classes, params InputDeclaration[] inputs) =>
        [.. SampleReader.Each(Write(text), "t.csv", inputs, [.. labels.Select(l => new DataField(l, ElementType.Int64))], new DataFormat(null, null, folder.Path), classes).Select(read => read())];

    private string Write(string text)
    {
        File.WriteAllText(folder.Combine("t.csv"), text);
        return folder.Combine("t.csv");
    }
}
