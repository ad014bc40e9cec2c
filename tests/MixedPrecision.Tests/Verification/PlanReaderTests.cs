using Google.Protobuf;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

public class PlanReaderTests
{
    public static TheoryData<string> Formats => [.. NumberFormats.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void ReadsEveryFormatBackFromTheFile(string format)
    {
        using var emitted = new EmittedModel(format, "fp32");
        var reader = new PlanReader(emitted.Model, emitted.Weight);
        reader.Check(emitted.Mixed, emitted.Plan);
        using OnnxModel mixed = OnnxModel.Load(emitted.Mixed);
        Assert.Equal([format, "fp32"], emitted.Plan.Select(p => reader.Read(mixed, p.Site)?.Name));
    }

    [Fact]
    public void AnotherFormatThanPlannedIsAnErrorThatNamesBoth()
    {
        using var emitted = new EmittedModel("int8-dynamic", "int8-weight");
        (LayerSite, NumberFormat)[] plan = [emitted.Plan[0], (emitted.Plan[1].Site, NumberFormats.Get("int4-weight"))];
        Diagnostic diagnostic = Check(emitted, plan);
        Assert.Equal(emitted.Plan[1].Site.Layer.Name, diagnostic.Place.Node);
        Assert.Contains("int4-weight was planned, and int8-weight was found", diagnostic.Message);
    }

    [Fact]
    public void AChangedWeightIsAnError()
    {
        using var emitted = new EmittedModel("int8-weight", "fp32");
        Edit(emitted, model =>
        {
            TensorProto packed = model.Graph.Initializer.First(t => t.DataType == ElementType.UInt8);
            byte[] bytes = packed.RawData.ToByteArray();
            bytes[3] ^= 1;
            packed.RawData = ByteString.CopyFrom(bytes);
        });
        Assert.Contains("something else was found", Check(emitted, emitted.Plan).Message);
    }

    [Fact]
    public void AChangedNodeBesidesTheLayersIsAnError()
    {
        using var emitted = new EmittedModel("int8-dynamic", "fp32");
        Edit(emitted, model => model.Graph.Node.Single(n => n.OpType == "Relu").OpType = "Tanh");
        Assert.Equal(Codes.EmittedModelDiffersFromPlan, Check(emitted, emitted.Plan).Code);
    }

    private static Diagnostic Check(EmittedModel emitted, IReadOnlyList<(LayerSite, NumberFormat)> plan) =>
        Assert.Throws<MixedPrecisionException>(() => new PlanReader(emitted.Model, emitted.Weight).Check(emitted.Mixed, plan)).Diagnostic;

    private static void Edit(EmittedModel emitted, Action<ModelProto> edit)
    {
        ModelProto model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(emitted.Mixed));
        edit(model);
        File.WriteAllBytes(emitted.Mixed, model.ToByteArray());
    }
}
